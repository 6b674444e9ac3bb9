"""Whether renewals may go through a client registration now: one narrow row each, shared by all processes."""

from django.db import models
from django.db.models.functions import Now

from tenants.models.client_registration import ClientRegistration
from tenants.querysets.gates import DOUBTS


class RegistrationGate(models.Model):
    """Written only by the statements of querysets/gates.py and trials.py; the database's clock decides.

    state is `closed` while requests flow (as a circuit is closed), `open` while none may leave before open_until, and
    `half_open` while `probes` more may be tried; a probe whose answer never came is replaced after open_until. cause
    says why it is not closed, and since changed_at; a closed one can have an incident all the same.
    step is how many probes have succeeded, openings how often in a row the provider was found failing.
    doubts is how many more refused grants count against customers before the registration itself is suspected: each
    success earns a twentieth, each refusal costs one.
    window_sent and window_failed count since window_at what was sent, and what was not answered as it should be.
    bucket is how many requests may leave at once of what the provider's declared limit refills.
    preferred_secret is the place of the client secret that worked last, counted from the newest, which is 0.
    """

    class State(models.TextChoices):
        CLOSED = "closed"
        OPEN = "open"
        HALF_OPEN = "half_open"

    class Cause(models.TextChoices):
        NONE = "", ""
        OUTAGE = "outage", "the provider fails"
        INCIDENT = "incident", "the provider refuses our registration"
        DOUBTS = "doubts", "the provider refuses unusually many customers at once"
        CANARY = "canary", "a new client secret is being tried"
        THROTTLED = "throttled", "the provider asks us to wait"

    registration = models.OneToOneField(
        ClientRegistration, primary_key=True, on_delete=models.CASCADE, related_name="gate"
    )
    state = models.CharField(max_length=10, choices=State.choices, default=State.CLOSED)
    cause = models.CharField(max_length=10, choices=Cause.choices, default=Cause.NONE, blank=True)
    changed_at = models.DateTimeField(db_default=Now())
    open_until = models.DateTimeField(null=True)
    openings = models.IntegerField(default=0)
    probes = models.IntegerField(default=0)
    step = models.IntegerField(default=0)
    doubts = models.FloatField(default=DOUBTS)
    doubts_at = models.DateTimeField(db_default=Now())
    bucket = models.FloatField(null=True)
    bucket_at = models.DateTimeField(db_default=Now())
    window_at = models.DateTimeField(db_default=Now())
    window_sent = models.IntegerField(default=0)
    window_failed = models.IntegerField(default=0)
    preferred_secret = models.SmallIntegerField(default=0)

    def __str__(self) -> str:
        return f"gate of {self.registration_id}: {self.state} {self.cause}".strip()
