"use strict";
for (const button of document.querySelectorAll("[data-copy]")) {
  button.addEventListener("click", async () => {
    const field = document.getElementById(button.dataset.copy);
    field.select();
    try {
      await navigator.clipboard.writeText(field.value);
    } catch {
      // No clipboard over plain HTTP: the text is selected, so the keyboard can copy it.
      document.execCommand("copy");
    }
    button.textContent = "Copied";
  });
}
