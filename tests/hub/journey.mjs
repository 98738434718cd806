// SPDX-License-Identifier: Apache-2.0
// The whole way of somebody new, in Chromium: node journey.mjs < {"base": URL, "width", "scheme", "pictures": FOLDER or
// null, "who": NAME}; writes what was seen as JSON. A file is brought, an account made, the table faceted, a link to it
// opened in another browser, somebody invited who comes and is sent away again, the link withdrawn.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { chromium } from 'playwright-core';

const job = JSON.parse(readFileSync(0, 'utf8'));
const seen = { faults: [], errors: [], overflow: [], pages: [] };
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-sync'],
});

async function open() {
  const context = await browser.newContext({
    viewport: { width: job.width, height: 900 }, colorScheme: job.scheme, bypassCSP: true, // axe is a script of ours
  });
  const page = await context.newPage();
  page.setDefaultTimeout(30000);
  page.on('pageerror', (e) => seen.errors.push(e.message));
  return page;
}

// What is to be said of a page that somebody stands before.
async function stop(page, name) {
  await page.evaluate(AXE);
  const found = await page.evaluate((tags) => window.axe.run(document, { runOnly: tags }), RULES);
  for (const v of found.violations) seen.faults.push(`${name}: ${v.id}: ${v.nodes.map((n) => n.html).join(' ')}`);
  const over = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  if (over > 0) seen.overflow.push(`${name}: ${over}`);
  if (job.pictures)
    await page.screenshot({ path: `${job.pictures}/${name}-${job.width}-${job.scheme}.png`, fullPage: true });
  seen.pages.push(name);
}
const main = (page) => page.locator('main').innerText();
const there = (page, path) => page.waitForURL((url) => url.pathname === path);

async function account(page, name) {
  await page.fill('#email', `${name}@example.org`);
  await page.fill('#name', name);
  await page.fill('#password', 'four words in a row');
}

// A file, then an account, then a space.
const mine = await open();
await mine.goto(job.base + '/');
await stop(mine, '1-landing');
const towns = ['Oslo', 'Rome', 'Bonn'];
const rows = Array.from({ length: 90 }, (_, i) => `${i + 1},Person ${i + 1},${towns[i % 3]}`);
await mine.setInputFiles('#start-file', {
  name: `${job.who} people.csv`, mimeType: 'text/csv', buffer: Buffer.from('id,name,town\n' + rows.join('\n') + '\n'),
});
await mine.click('form[data-start] button.primary');
await there(mine, '/-/sign-up');
seen.waits = await mine.locator('.file-waits').innerText();
await stop(mine, '2-sign-up');
await account(mine, job.who);
await mine.click('main form.core button.primary');
await there(mine, '/-/start');
await stop(mine, '3-start');
await mine.click('form[data-start-keep] button.primary');
await mine.waitForURL((url) => url.pathname.endsWith('_people'), { timeout: 60000 });
seen.table = new URL(mine.url()).pathname;
await stop(mine, '4-table');

// Facets.
await mine.click('.suggested-facets a:has-text("town")');
await mine.waitForURL(/_facet=town/);
seen.facets = await mine.locator('.facet-info [data-facet-value]').allTextContents();
await stop(mine, '5-facet');

// A link, opened by somebody who has no account.
await mine.click('[data-share-open]');
const box = mine.locator('dialog.share-box[open]');
await box.waitFor();
await box.locator('form.share-new input[type=submit]').click();
const field = box.locator('.share-item input[readonly]').first();
await field.waitFor();
const link = await field.inputValue();
const theirs = await open();
await theirs.goto(link);
seen.shared = [
  await theirs.locator('.share-banner').count(),
  await theirs.locator('.rows-and-columns tbody tr').count(),
];
await stop(theirs, '6-shared');
const stranger = await open(); // without the link
seen.private = new URL((await stranger.goto(new URL(seen.table, mine.url()).href)).url()).pathname;
await stranger.context().close();

// Somebody is invited, comes in, and is taken out again.
const name = new URL(mine.url()).hostname.split('.')[0];
await mine.goto(`${job.base}/spaces/${name}/members`);
seen.alone = await main(mine);
await mine.fill('#email', `${job.who}.guest@example.org`);
await mine.click('button:has-text("Invite")');
const invitation = await mine.locator('#link').inputValue();
await stop(mine, '7-members');
const guest = await open();
await guest.goto(invitation);
await stop(guest, '8-invitation');
await account(guest, `${job.who}.guest`);
await guest.click('main form.core button.primary');
await there(guest, '/-/invitation');
await guest.click('main form.core button.primary');
await guest.waitForURL((url) => url.hostname.startsWith(name));
// The space hears of it within a second.
for (const end = Date.now() + 20000; Date.now() < end; await guest.reload()) {
  seen.guest = await guest.locator('h1').first().innerText();
  if (!seen.guest.includes('not a member')) break;
}
await stop(guest, '9-guest');
await mine.goto(`${job.base}/spaces/${name}/members`);
const row = mine.locator('tr', { hasText: `${job.who}.guest@example.org` });
await row.locator('select').selectOption('none');
await row.locator('button').click();
await mine.waitForURL(/note=removed/);

// ... and the link is withdrawn.
await mine.goto(new URL('/-/shares', link).href);
await mine.locator('button[value=withdraw]').first().click();
await mine.locator('button[value=withdraw]').first().waitFor({ state: 'detached' });
let last = null;
for (const end = Date.now() + 20000; Date.now() < end && (last === null || last < 400); )
  last = (await guest.goto(new URL(seen.table, link).href)).status();
seen.after = [last, (await theirs.goto(link)).status()];
await browser.close();
process.stdout.write(JSON.stringify(seen));
