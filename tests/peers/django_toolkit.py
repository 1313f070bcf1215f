"""Runs django-oauth-toolkit on a free port of loopback, with rotation and protection against reuse.

Prints a line with its address and its client's secret, and ends when its input does. Under `/grace/` a refresh token that was
used is still good for half a minute, elsewhere for no moment.
"""

import json
import os
import secrets
import sys
import threading
import uuid
from datetime import timedelta
from wsgiref.simple_server import WSGIRequestHandler, make_server

import django
from django.conf import settings

SECRET = "per%cent+plus:colon and space"

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "oauth2_provider"],
    LOGGING_CONFIG=None,
    MIDDLEWARE=[],
    OAUTH2_PROVIDER={
        "ACCESS_TOKEN_EXPIRE_SECONDS": 600,
        "ALLOWED_SCHEMES": ["http"],
        "REFRESH_TOKEN_REUSE_PROTECTION": True,
        "SCOPES": {"read": "reads", "write": "writes", "introspection": "asks about tokens"},
    },
    ROOT_URLCONF=__name__,
    SECRET_KEY=secrets.token_urlsafe(),
    USE_TZ=True,
)
django.setup()

from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.http import HttpResponse
from django.urls import include, path
from django.utils import timezone
from oauth2_provider.models import AccessToken, Application, RefreshToken
from oauth2_provider.settings import oauth2_settings


def seed(request):
    """A login without a browser: answers with its first refresh token."""
    application, user = Application.objects.get(), get_user_model().objects.get()
    access_token = AccessToken.objects.create(
        application=application,
        user=user,
        token=secrets.token_urlsafe(),
        expires=timezone.now() + timedelta(minutes=10),
        scope="read write",
    )
    refresh_token = RefreshToken.objects.create(
        application=application,
        user=user,
        token=secrets.token_urlsafe(),
        access_token=access_token,
        token_family=uuid.uuid4(),
    )
    return HttpResponse(refresh_token.token)


urlpatterns = [
    path("seed", seed),
    path("grace/", include("oauth2_provider.urls")),
    path("", include("oauth2_provider.urls")),
]

from django.core.wsgi import get_wsgi_application

application = get_wsgi_application()


def graceful(environ, start_response):
    """The settings are those of a process; one request at a time is served, and this one decides for itself."""
    grace = 30 if environ["PATH_INFO"].startswith("/grace/") else 0
    oauth2_settings.REFRESH_TOKEN_GRACE_PERIOD_SECONDS = grace
    return application(environ, start_response)


class Quiet(WSGIRequestHandler):
    def log_message(self, *arguments):
        pass


def wait_for_end():
    sys.stdin.buffer.read()
    os._exit(0)


threading.Thread(target=wait_for_end, daemon=True).start()
call_command("migrate", verbosity=0)
get_user_model().objects.create_user("alice")
Application.objects.create(
    client_id="service",
    client_secret=SECRET,
    client_type=Application.CLIENT_CONFIDENTIAL,
    authorization_grant_type=Application.GRANT_CLIENT_CREDENTIALS,
)
server = make_server("127.0.0.1", 0, graceful, handler_class=Quiet)
print(json.dumps({"issuer": f"http://127.0.0.1:{server.server_port}", "secret": SECRET}), flush=True)
server.serve_forever()
