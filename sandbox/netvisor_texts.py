"""The sentences behind Netvisor's codes, in the three languages of its interface."""

# Wording is the sandbox's own: a client goes by the code before ` :: `, never by the text.
TEXTS: dict[str, tuple[str, str, str]] = {
    "header_missing": ("Otsikko {} puuttuu", "Rubriken {} saknas", "The header {} is missing"),
    "header_repeated": (
        "Otsikko {} on annettu useammin kuin kerran",
        "Rubriken {} har angetts mer än en gång",
        "The header {} is given more than once",
    ),
    "algorithm": (
        "Tuntematon tai käytöstä poistettu laskentatapa {}",
        "Okänd eller avvecklad beräkningsmetod {}",
        "Unknown or withdrawn calculation algorithm {}",
    ),
    "time_unreadable": ("Aikaleima {} on virheellinen", "Tidsstämpeln {} är ogiltig", "The timestamp {} is not valid"),
    "time_differs": (
        "Aikaleimat Timestamp ja TimestampUnix eroavat",
        "Tidsstämplarna Timestamp och TimestampUnix skiljer sig",
        "Timestamp and TimestampUnix are not the same instant",
    ),
    "time_off": (
        "Aikaleima on vanhentunut tai tulevaisuudessa",
        "Tidsstämpeln är för gammal eller i framtiden",
        "The timestamp is too old or in the future",
    ),
    "partner": (
        "Integraatiokumppania ei löydy",
        "Integrationspartnern hittades inte",
        "The integration partner was not found",
    ),
    "keys": (
        "Avaimet eivät kelpaa, tarkista käyttäjän ja kumppanin avaimet",
        "Nycklarna är inte giltiga, kontrollera användarens och partnerns nycklar",
        "The keys are not valid, check the keys of the user and of the partner",
    ),
    "encoding": (
        "Osoitteessa on merkki, jota ISO-8859-15 ei tunne",
        "Adressen har ett tecken som saknas i ISO-8859-15",
        "The address has a character that ISO-8859-15 lacks",
    ),
    "not_unique": (
        "Tapahtumatunnus on jo käytetty",
        "Transaktionens id har redan använts",
        "The transaction id has been used before",
    ),
    "language": ("Tuntematon kieli {}", "Okänt språk {}", "Unknown language {}"),
    "organisation": (
        "Yritystä {} ei löydy tai käyttäjällä ei ole siihen oikeutta",
        "Företaget {} hittades inte eller användaren saknar rätt till det",
        "The organisation {} was not found, or the user has no right to it",
    ),
    "rights": (
        "Käyttäjällä ei ole oikeutta rajapintaan",
        "Användaren har inte rätt till gränssnittet",
        "The user has no right to the interface",
    ),
    "maintenance": (
        "Järjestelmä on huollossa, yritä myöhemmin uudelleen",
        "Systemet underhålls, försök igen senare",
        "The system is under maintenance, try again later",
    ),
    "resource": ("Tuntematon resurssi {}", "Okänd resurs {}", "Unknown resource {}"),
    "body": ("Sanoma on virheellinen: {}", "Meddelandet är felaktigt: {}", "The message is not valid: {}"),
}
LANGUAGES = ("FI", "SE", "EN")


def sentence(problem: str, language: str, about: str) -> str:
    """The sentence in this language; in English when the language is none of theirs."""
    column = LANGUAGES.index(language.upper()) if language.upper() in LANGUAGES else 2
    return TEXTS[problem][column].format(about)
