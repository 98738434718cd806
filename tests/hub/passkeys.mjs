// SPDX-License-Identifier: Apache-2.0
// A person with Chromium's virtual authenticator: node passkeys.mjs < {"base": URL, "email", "password"}; writes what
// was seen as JSON. The account has no passkey yet.
import { readFileSync } from 'node:fs';
import { chromium } from 'playwright-core';

const job = JSON.parse(readFileSync(0, 'utf8')), seen = { errors: [] };
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-sync'],
});

async function open(verified) {
  const context = await browser.newContext(), page = await context.newPage();
  page.setDefaultTimeout(15000);
  page.on('pageerror', (e) => seen.errors.push(e.message));
  const cdp = await context.newCDPSession(page);
  await cdp.send('WebAuthn.enable', { enableUI: false });
  const { authenticatorId } = await cdp.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true,
      isUserVerified: verified, automaticPresenceSimulation: true,
    },
  });
  return { context, page, cdp, authenticatorId };
}
const keys = async (b) =>
  (await b.cdp.send('WebAuthn.getCredentials', { authenticatorId: b.authenticatorId })).credentials;
const main = (page) => page.locator('main').innerText();
const there = (page, path) => page.waitForURL((url) => url.pathname === path);

// Signs in with the password by the keyboard alone, and adds a passkey.
const one = await open(true);
await one.page.goto(job.base + '/-/sign-in');
await one.page.focus('#email');
await one.page.keyboard.type(job.email);
await one.page.keyboard.press('Tab');
await one.page.keyboard.type(job.password);
seen.shown = await one.page.evaluate(() => {
  document.querySelector('.show-password').click();
  const shown = document.querySelector('#password').type;
  document.querySelector('.show-password').click();
  return [shown, document.querySelector('#password').type];
});
await one.page.keyboard.press('Enter');
await there(one.page, '/');
await one.page.goto(job.base + '/-/account/passkeys');
await one.page.fill('#name', 'Work laptop');
await Promise.all([
  one.page.waitForURL(/note=passkey-added/),
  one.page.click('form[data-passkey=create] button'),
]);
seen.listed = (await main(one.page)).includes('Work laptop');
seen.made = (await keys(one)).map((k) => [k.rpId, k.isResidentCredential]);

// The same device again: the browser refuses, and the page says why.
await one.page.fill('#name', 'Twice');
await one.page.click('form[data-passkey=create] button');
await one.page.locator('form[data-passkey=create] [role=alert]:not([hidden])').waitFor();
seen.twice = await one.page.locator('form[data-passkey=create] [role=alert]').innerText();

// Signs out, and in again without typing: the browser offers the passkey where the name is typed, or the button does.
await one.page.goto(job.base + '/');
await one.page.click('text=Sign out');
await one.page.waitForURL(/note=signed-out/);
await one.page.goto(job.base + '/-/sign-in?to=/-/account');
one.page.click('form[data-passkey=get] button').catch(() => {}); // gone when the browser was quicker
await there(one.page, '/-/account');
seen.back = (await main(one.page)).includes(job.email);

// In another browser the same page offers it too, but there is no key: a sentence, nobody signed in.
const two = await open(true);
await two.page.goto(job.base + '/-/sign-in');
await two.page.click('form[data-passkey=get] button');
await two.page.locator('form[data-passkey=get] [role=alert]:not([hidden])').waitFor();
seen.stranger = await two.page.locator('form[data-passkey=get] [role=alert]').innerText();
await two.context.close();

// Taken away: the device still has its key, the hub knows it no more.
await one.page.goto(job.base + '/-/account/passkeys');
await one.page.click('button:has-text("Remove")');
await one.page.waitForURL(/note=passkey-removed/);
seen.removed = !(await main(one.page)).includes('Work laptop');
await one.context.close();

// Without scripts the other ways are there, and no form that could not work.
const plain = await browser.newContext({ javaScriptEnabled: false }), page = await plain.newPage();
await page.goto(job.base + '/-/sign-in');
seen.plain = [await page.locator('form[data-passkey]').isVisible(), await page.locator('#password').isVisible()];
await browser.close();
process.stdout.write(JSON.stringify(seen));
