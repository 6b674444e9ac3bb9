# One image, three commands: web (the default), worker, beat. compose.yaml shows them together.
# Any base with Python 3.11 or later as `python3` will do; pin it by digest where you build.
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS packages
COPY requirements.txt /
RUN python3 -m venv /venv \
    && /venv/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r /requirements.txt

FROM ${BASE}
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    DJANGO_SETTINGS_MODULE=broker.settings \
    STATIC_ROOT=/app/staticfiles
# A new volume takes the owner of the folder that it covers.
RUN groupadd --gid 10001 broker && useradd --uid 10001 --gid 10001 --no-create-home --shell /usr/sbin/nologin broker \
    && install --directory --mode 0700 --owner 10001 --group 10001 /escrow
COPY --from=packages /venv /venv
WORKDIR /app
# .dockerignore is a list of what goes in, so that no data folder, key or .env ever does.
COPY . .
# The values below serve this one step, which reads no key and reaches no server; nothing of them stays in the image.
RUN SECRET_KEY="$(python3 -c 'import secrets; print(secrets.token_urlsafe(64))')" KEYRING=none \
    BROKER_ENVIRONMENT=build PUBLIC_URL=https://build.invalid \
    DATABASE_URL=postgres://build@build.invalid/build REDIS_URL=redis://build.invalid \
    python3 manage.py collectstatic --noinput --verbosity 0 \
    && python3 -m compileall -q .

USER 10001:10001
EXPOSE 8000
# No database: a web process that lives is healthy. Readiness is GET /readyz.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
    CMD ["python3", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=2)"]
CMD ["granian", "--interface", "wsgi", "--host", "0.0.0.0", "--port", "8000", "--workers", "2", \
     "--blocking-threads", "4", "--respawn-failed-workers", "--no-ws", "--log-level", "warning", "broker.wsgi:application"]
