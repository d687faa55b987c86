"""Clients of oxd's as oxd-python's generations before 3.1.2 were, for CPython 2.7: how each sends, reads, and shapes what it read."""
import json
import socket
from collections import namedtuple
from ConfigParser import NoOptionError, SafeConfigParser


def attributes(members):
    """A reply's object: each name has to be one that Python takes for an attribute."""
    return namedtuple("response", members.keys())(*members.values())


def attributes_of_3_1_1(members):
    return attributes(dict((name.replace("-", "hyphen"), one) for name, one in members.items()))


class Messenger(object):
    shape = staticmethod(attributes)

    def __init__(self, host, port):
        self.place = (host, port)
        self.sock = None

    def connection(self):
        if self.sock is None:
            self.sock = socket.create_connection(self.place)
        return self.sock

    def send(self, command):
        text = json.dumps(command)
        sock = self.connection()
        sock.sendall("{:04d}{}".format(len(text), text))
        return json.loads(self.read(sock), object_hook=self.shape)

    def read(self, sock):
        """The length is taken from whatever came first, and counts bytes."""
        part = sock.recv(1024)
        length = int(part[0:4])
        body = part[4:]
        while len(body) < length:
            part = sock.recv(1024)
            if not part:
                raise RuntimeError("the connection closed")
            body += part
        return body


class MessengerOf311(Messenger):
    """One connection a call."""

    shape = staticmethod(attributes_of_3_1_1)

    def connection(self):
        if self.sock is not None:
            self.sock.close()
        self.sock = socket.create_connection(self.place)
        return self.sock


class Client(object):
    """What the generations have in common: the cfg, and how a refusal is told."""

    messenger = Messenger
    texts = ["op_host", "post_logout_redirect_uri", "client_name", "client_jwks_uri",
             "client_token_endpoint_auth_method", "client_id", "client_secret", "application_type"]
    lists = ["grant_types", "acr_values", "contacts", "client_request_uris", "response_types",
             "scope", "ui_locales", "claims_locales", "client_logout_uris"]

    def __init__(self, cfg):
        self.cfg = cfg
        self.parser = SafeConfigParser()
        self.parser.read(cfg)
        self.msgr = self.messenger(self.get("oxd", "host"), int(self.get("oxd", "port")))
        self.oxd_id = self.get("oxd", "id")

    def get(self, section, key):
        try:
            return self.parser.get(section, key)
        except NoOptionError:
            return None

    def set(self, section, key, value):
        self.parser.set(section, key, value)
        with open(self.cfg, "wb") as cfg:
            self.parser.write(cfg)

    def ask(self, command, **params):
        response = self.msgr.send({"command": command, "params": params})
        if response.status == "error":
            raise RuntimeError("{}: {}".format(response.data.error, response.data.error_description))
        return response

    def settings(self):
        """All that the cfg says of the site."""
        params = {"authorization_redirect_uri": self.get("client", "authorization_redirect_uri")}
        for name in self.texts:
            if self.get("client", name):
                params[name] = self.get("client", name)
        for name in self.lists:
            if self.get("client", name):
                params[name] = self.get("client", name).split(",")
        return params

    def register_site(self):
        if not self.oxd_id:
            self.oxd_id = self.ask("register_site", **self.settings()).data.oxd_id
            self.set("oxd", "id", self.oxd_id)
        return self.oxd_id

    def remove_site(self):
        """No generation before 3.1.2 had it: as its users would have sent it."""
        return self.ask("remove_site", oxd_id=self.oxd_id).data.oxd_id


class Client243(Client):
    def get_authorization_url(self, acr_values=None):
        params = {"oxd_id": self.register_site()}
        if acr_values:
            params["acr_values"] = acr_values
        return self.ask("get_authorization_url", **params).data.authorization_url

    def get_tokens_by_code(self, code, scopes, state=None):
        params = {"oxd_id": self.oxd_id, "code": code, "scopes": scopes}
        if state:
            params["state"] = state
        return self.ask("get_tokens_by_code", **params).data.access_token

    def get_tokens_by_code_by_url(self, url):
        return self.ask("get_tokens_by_code", oxd_id=self.oxd_id, url=url).data.access_token

    def get_user_info(self, token):
        return self.ask("get_user_info", oxd_id=self.oxd_id, access_token=token).data.claims

    def get_logout_uri(self, id_token_hint=None, post_logout_redirect_uri=None, state=None,
                       session_state=None):
        params = {"id_token_hint": id_token_hint, "state": state, "session_state": session_state,
                  "post_logout_redirect_uri": post_logout_redirect_uri}
        given = dict((name, one) for name, one in params.items() if one)
        return self.ask("get_logout_uri", oxd_id=self.oxd_id, **given).data.uri

    def update_site_registration(self):
        params = self.settings()
        return self.ask("update_site_registration", oxd_id=self.oxd_id, **params).status == "ok"


class Client301(Client243):
    lists = Client.lists + ["client_sector_identifier_uri"]

    def get_authorization_url(self, acr_values=None, prompt=None, scope=None):
        params = {"oxd_id": self.register_site()}
        for name, one in (("acr_values", acr_values), ("prompt", prompt), ("scope", scope)):
            if one:
                params[name] = one
        return self.ask("get_authorization_url", **params).data.authorization_url

    def get_tokens_by_code(self, code, state):
        return self.ask("get_tokens_by_code", oxd_id=self.oxd_id, code=code, state=state).data

    def uma_rs_protect(self, resources):
        return self.ask("uma_rs_protect", oxd_id=self.oxd_id, resources=resources).status == "ok"

    def uma_rs_check_access(self, rpt, path, http_method):
        return self.ask("uma_rs_check_access", oxd_id=self.oxd_id, rpt=rpt, path=path,
                        http_method=http_method).data

    def rpt_of(self, command, **params):
        response = self.msgr.send({"command": command, "params": dict(params, oxd_id=self.oxd_id)})
        return response.data.rpt if response.status == "ok" else None

    def uma_rp_get_rpt(self, force_new=False):
        return self.rpt_of("uma_rp_get_rpt", force_new=force_new)

    def uma_rp_get_gat(self, scopes):
        return self.rpt_of("uma_rp_get_gat", scopes=scopes)

    def uma_rp_authorize_rpt(self, rpt, ticket):
        params = {"oxd_id": self.oxd_id, "rpt": rpt, "ticket": ticket}
        return self.msgr.send({"command": "uma_rp_authorize_rpt", "params": params})


class Client311(Client):
    """The branches 3.1.1 and dev: each call may bring a protection_access_token."""

    messenger = MessengerOf311
    texts = Client.texts + ["op_discovery_path", "client_registration_access_token",
                            "client_registration_client_uri", "client_secret_expires_at"]
    lists = [name for name in Client.lists if name != "client_logout_uris"] + [
        "client_frontchannel_logout_uris", "client_sector_identifier_uri", "claims_redirect_uri"]

    def of_site(self, command, protection_access_token, **params):
        params["oxd_id"] = self.oxd_id
        return self.ask(command, protection_access_token=protection_access_token, **params)

    def setup_client(self):
        data = self.ask("setup_client", **self.settings()).data
        self.oxd_id = data.oxd_id
        self.set("oxd", "id", data.oxd_id)
        for name in ("client_id", "client_secret", "client_registration_access_token",
                     "client_registration_client_uri"):
            self.set("client", name, getattr(data, name))
        self.set("client", "client_id_issued_at", str(data.client_id_issued_at))
        return data

    def get_client_token(self):
        data = self.ask("get_client_token", client_id=self.get("client", "client_id"),
                        client_secret=self.get("client", "client_secret"),
                        op_host=self.get("client", "op_host")).data
        self.set("client", "protection_access_token", data.access_token)
        return data

    def register_site(self, protection_access_token=None):
        params = self.settings()
        response = self.ask("register_site", protection_access_token=protection_access_token, **params)
        self.oxd_id = response.data.oxd_id
        self.set("oxd", "id", self.oxd_id)
        return self.oxd_id

    def get_authorization_url(self, acr_values=None, prompt=None, scope=None, custom_parameters=None,
                              protection_access_token=None):
        return self.of_site("get_authorization_url", protection_access_token, acr_values=acr_values,
                            prompt=prompt, scope=scope,
                            custom_parameters=custom_parameters).data.authorization_url

    def get_tokens_by_code(self, code, state, protection_access_token=None):
        tokens = self.of_site("get_tokens_by_code", protection_access_token, code=code, state=state).data
        # The demo reads it whether or not there is one.
        tokens.refresh_token
        return tokens

    def get_access_token_by_refresh_token(self, refresh_token, scope=None, protection_access_token=None):
        return self.of_site("get_access_token_by_refresh_token", protection_access_token,
                            refresh_token=refresh_token, scope=scope).data

    def get_user_info(self, token, protection_access_token=None):
        return self.of_site("get_user_info", protection_access_token, access_token=token).data.claims

    def get_logout_uri(self, id_token_hint=None, post_logout_redirect_uri=None, state=None,
                       session_state=None, protection_access_token=None):
        return self.of_site("get_logout_uri", protection_access_token, id_token_hint=id_token_hint,
                            post_logout_redirect_uri=post_logout_redirect_uri, state=state,
                            session_state=session_state).data.uri

    def update_site_registration(self, protection_access_token=None):
        return self.of_site("update_site_registration", protection_access_token,
                            **self.settings()).status

    def remove_site(self, protection_access_token=None):
        return self.of_site("remove_site", protection_access_token).data.oxd_id

    def uma_rs_check_access(self, rpt, path, http_method, protection_access_token=None):
        return self.of_site("uma_rs_check_access", protection_access_token, rpt=rpt, path=path,
                            http_method=http_method).data

    def uma_rp_get_rpt(self, ticket, protection_access_token=None):
        return self.of_site("uma_rp_get_rpt", protection_access_token, ticket=ticket, claim_token=None,
                            claim_token_format=None, pct=None, rpt=None, scope=None, state=None).data

    def uma_rp_get_claims_gathering_url(self, ticket, claims_redirect_uri, protection_access_token=None):
        return self.of_site("uma_rp_get_claims_gathering_url", protection_access_token, ticket=ticket,
                            claims_redirect_uri=claims_redirect_uri).data.url
