// SPDX-License-Identifier: Apache-2.0
// A certified OpenID Connect issuer on a free port of this machine, for test_oidc.py.
//
//   node issuer.mjs CLIENT_ID CLIENT_SECRET REDIRECT_URI BACK_URI [GROUPS]
//
// Prints its name ("http://127.0.0.1:PORT") when it listens, and ends with its standard input. Its own pages ask for a
// name and any password; the name says who it is: "NAME" -> NAME@example.org, verified, unless it begins with "no-";
// groups are "staff", and "boss" for names that begin with "boss"; or, of names in the JSON file GROUPS, those there.
import fs from "node:fs";
import http from "node:http";
import { Provider } from "oidc-provider";

const [id, secret, redirect, back, file] = process.argv.slice(2);
const groupsOf = (sub) => (file && JSON.parse(fs.readFileSync(file, "utf8"))[sub])
  || (sub.startsWith("boss") ? ["staff", "boss"] : ["staff"]);
const server = http.createServer();
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const issuer = `http://127.0.0.1:${server.address().port}`;

const provider = new Provider(issuer, {
  clients: [{ client_id: id, client_secret: secret, redirect_uris: [redirect], post_logout_redirect_uris: [back],
    grant_types: ["authorization_code"], response_types: ["code"] }],
  claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name", "preferred_username", "groups"] },
  pkce: { required: () => true },
  cookies: { keys: ["a key for tests"] },
  features: { rpInitiatedLogout: { enabled: true }, devInteractions: { enabled: true } },
  findAccount: (ctx, sub) => ({
    accountId: sub,
    claims: () => ({
      sub,
      email: `${sub}@example.org`,
      email_verified: !sub.startsWith("no-"),
      name: sub[0].toUpperCase() + sub.slice(1),
      preferred_username: sub,
      groups: groupsOf(sub),
    }),
  }),
});
server.on("request", provider.callback());
console.log(issuer);
process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
