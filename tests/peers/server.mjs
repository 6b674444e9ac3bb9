// An authorization server by other hands: npm oidc-provider, bent in nothing but what a test chooses by argument.
//
//   node server.mjs '{"client_id": "...", "client_secret": "...", "redirect_uri": "...", "access_token_seconds": 10}'
//
// Prints {"url": ...} once it listens. GET /_peer/log tells what the token endpoint saw, refresh tokens included: that
// is what a thief on the wire would know, and what the tests need in order to be one.
import { createServer } from "node:http";
import { once } from "node:events";
import Provider from "oidc-provider";

const options = JSON.parse(process.argv[2]);
const server = createServer();
server.listen(0, "127.0.0.1");
await once(server, "listening");
const issuer = `http://127.0.0.1:${server.address().port}`;

const provider = new Provider(issuer, {
  clients: [
    {
      client_id: options.client_id,
      client_secret: options.client_secret,
      redirect_uris: [options.redirect_uri],
      grant_types: ["authorization_code", "refresh_token"],
      response_types: ["code"],
      token_endpoint_auth_method: "client_secret_basic",
    },
  ],
  cookies: { keys: ["only for tests on this machine"] },
  features: {
    devInteractions: { enabled: true },
    introspection: { enabled: true },
    revocation: { enabled: true },
  },
  pkce: { required: () => true },
  rotateRefreshToken: true,
  ttl: {
    AccessToken: options.access_token_seconds,
    Grant: 3600,
    IdToken: 3600,
    Interaction: 600,
    RefreshToken: 3600,
    Session: 3600,
  },
});

const log = [];
provider.use(async (context, next) => {
  if (context.path === "/_peer/log") {
    context.body = log;
    return;
  }
  await next();
  if (context.oidc?.route !== "token") return;
  log.push({
    grant_type: context.oidc.params?.grant_type ?? "",
    refresh_token: context.oidc.params?.refresh_token ?? "",
    status: context.status,
    error: context.body?.error ?? "",
  });
});

server.on("request", provider.callback());
console.log(JSON.stringify({ url: issuer }));
