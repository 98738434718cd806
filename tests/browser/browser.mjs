// SPDX-License-Identifier: Apache-2.0
// Opens pages in Chromium and writes what it saw as JSON on standard output: node browser.mjs < JOBS, each job a line,
// each answered by a line ({"fault": TEXT} when something could not be done); one browser serves them all. A job:
//   {"base": URL, "pages": {NAME: PATH}, "widths": [1280], "schemes": ["light", "dark"], "pictures": FOLDER or null,
//    "axe": bool, "scripts": bool, "act": {NAME: ACTION}, "send": {NAME: {SELECTOR: VALUE}}}
// "send" fills in a form and sends it: the answer is the page. A VALUE null is clicked; with none of these the form of
// the last field is sent.
// For each page, width and scheme: status, overflow (px wider than the window), errors of console and network,
// requests to other hosts, how many requests and bytes it took, how far its layout shifted, and with "axe",
// "keyboard", "fingers", "focus" what those find; "axe" may be a list of names. "cookies": [{name, value}];
// "whole": pictures of the whole page. Actions are the functions of `actions` below. Pages are opened two at a time.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { chromium } from 'playwright-core';

const require = createRequire(import.meta.url);
const ARGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--font-render-hinting=none',
];
const AXE_RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];

// What a person does on a page; each returns what is then to be seen.
const actions = {
  async columnMenu(page) {
    await page.click('th[data-column] .column-menu-open >> nth=1');
    return page.locator('.column-menu [role=menuitem]').allTextContents();
  },
  async sortByMenu(page) {
    await page.click('th[data-column] .column-menu-open >> nth=1');
    await page.click('text=Sort descending');
    await page.waitForURL(/_sort_desc=/);
    return page.locator('h2.row-count').textContent();
  },
  async hideColumn(page) {
    const column = await page.locator('th[data-column]').nth(1).getAttribute('data-column');
    await page.click('th[data-column] .column-menu-open >> nth=1');
    await page.click('text=Hide this column');
    await page.waitForURL(/_nocol=/);
    return [column, await page.locator('th[data-column]').evaluateAll((all) => all.map((th) => th.dataset.column))];
  },
  async exactFacets(page) {
    const before = await page.locator('.facet-estimated, .facets-awaited').count();
    const link = page.locator('.facet-info a[data-facet-value]').nth(1);
    const focus = await link.getAttribute('data-facet-value');
    await link.focus();
    await page.waitForFunction(() => !document.querySelector('.facet-estimated'), null, { timeout: 30000 });
    const focused = await page.evaluate(() => document.activeElement.dataset.facetValue);
    const counts = await page.locator('.facet-count').allTextContents();
    return { before, counts, kept: focused === focus };
  },
  async chooseColumns(page) {
    await page.click('th[data-column] .column-menu-open >> nth=1');
    await page.click('text=Choose columns');
    await page.click('dialog >> text=None');
    await page.locator('dialog input:not(:disabled)[type=checkbox]').nth(0).check();
    await page.click('dialog input[type=submit]');
    await page.waitForURL(/_col=/);
    return page.locator('th[data-column]').evaluateAll((all) => all.map((th) => th.dataset.column));
  },
  async filterRows(page) {
    const rows = () => page.locator('.filter-controls-row');
    await page.click('.filter-add');
    await rows().nth(0).locator('select').nth(0).selectOption({ index: 1 });
    await rows().nth(0).locator('select').nth(1).selectOption('gte');
    await rows().nth(0).locator('.filter-value').fill('2');
    await rows().nth(1).locator('select').nth(0).selectOption({ index: 1 });
    await rows().nth(1).locator('select').nth(1).selectOption('lte');
    await rows().nth(1).locator('.filter-value').fill('5');
    await page.click('form.filters input[type=submit]');
    await page.waitForURL(/__lte=/);
    return page.locator('h2.row-count').textContent();
  },
  async jump(page) {
    await page.keyboard.press('/');
    await page.locator('dialog.jump input').fill('album');
    await page.locator('.jump-item').first().waitFor();
    const found = await page.locator('.jump-item span').allTextContents();
    await Promise.all([page.waitForNavigation(), page.keyboard.press('Enter')]);
    return [found[0], new URL(page.url()).pathname];
  },
  async columnList(page) {
    await page.click('.columns-open');
    const dialog = page.locator('dialog.column-list');
    await dialog.locator('summary', { hasText: 'Title' }).click();
    const items = await dialog.locator('details[open] li').allTextContents();
    const faults = await axeFaults(page);
    await dialog.locator('details[open] >> text=Sort descending').click();
    await page.waitForURL(/_sort_desc=Title/);
    return [items, faults];
  },
  // The faults axe finds while the column menu, the choice of columns and the jump dialog are open.
  async openedParts(page) {
    const faults = [];
    await page.click('th[data-column] .column-menu-open >> nth=1');
    faults.push(...(await axeFaults(page)));
    await page.click('text=Choose columns');
    faults.push(...(await axeFaults(page)));
    await page.keyboard.press('Escape');
    await page.keyboard.press('/');
    await page.locator('dialog.jump input').fill('album');
    await page.locator('.jump-item').first().waitFor();
    faults.push(...(await axeFaults(page)));
    return faults;
  },
  // Tab through the page: what has the focus is on the screen, not under something, and has an outline.
  async keyboard(page) {
    const faults = [];
    let steps = 0;
    await page.emulateMedia({ reducedMotion: 'reduce' });
    for (; steps < 80; steps++) {
      await page.keyboard.press('Tab');
      if (await page.evaluate(() => !!document.activeElement.closest('.cm-editor')))
        await page.locator('.cm-focused').waitFor(); // the editor marks itself a moment later
      const fault = await page.evaluate(focusFault);
      if (fault === 'end') break;
      if (fault) faults.push(fault);
    }
    return [steps, faults];
  },
  // The same in one go, without pressing: each thing that Tab stops at gets the focus, in the order of the page.
  async focusWalk(page) {
    await page.emulateMedia({ reducedMotion: 'reduce' });
    return page.evaluate(`(() => { const focusFault = ${focusFault}; return (${walkFocus})(); })()`);
  },
  // Controls (not links inside text) lower than 44 px; a box counts with its label.
  async lowControls(page) {
    return page.evaluate(() =>
      Array.from(document.querySelectorAll('a, button, input:not([type=hidden]), select, summary'))
        .map((node) => (/checkbox|radio/.test(node.type) ? node.closest('label') : node))
        .filter((node) => !node.matches('.skip-link') && getComputedStyle(node).display !== 'inline')
        .map((node) => [node, node.getBoundingClientRect()])
        .filter(([, box]) => box.width > 1 && box.height > 1 && box.height < 43.5)
        .map(([node, box]) => `${node.tagName}.${node.className} ${Math.round(box.height)} px`),
    );
  },
  // A file dropped on a page: upload, preview, another name and a key, import, report.
  async dropAndImport(page) {
    const marked = await page.evaluate(() => {
      const transfer = new DataTransfer();
      const rows = Array.from({ length: 3000 }, (_, i) => `k${i},name ${i},${i === 7 ? 'odd' : i}`).join('\n');
      transfer.items.add(new File([`code,name,n\n${rows}\n`], 'dropped.csv'));
      const give = (type) =>
        document.body.dispatchEvent(new DragEvent(type, { bubbles: true, cancelable: true, dataTransfer: transfer }));
      give('dragenter');
      const marked = document.body.classList.contains('drop-here');
      give('drop');
      return marked;
    });
    await page.waitForURL(/\/-\/import\//);
    const types = await page.locator('.import-preview select').evaluateAll((all) => all.map((s) => s.options[0].text));
    const faults = await axeFaults(page);
    await page.locator('input[name="as.1"]').fill('title');
    await page.locator('input[name="pk.0"]').check();
    await page.locator('select[name="type.2"]').selectOption('INTEGER');
    await page.keyboard.press('Tab');
    await page.click('button[value=start]');
    await page.locator('.message-info').waitFor();
    const said = await page.locator('.message-info').textContent();
    const rejects = await page.locator('.message-warning').textContent();
    faults.push(...(await axeFaults(page)));
    await page.click('text=Look at the table');
    await page.locator('h2.row-count').waitFor();
    const count = await page.locator('h2.row-count').textContent();
    await page.goBack();
    await page.click('text=Undo this import…');
    const asked = await page.locator('.undo-ask').textContent();
    faults.push(...(await axeFaults(page)));
    await page.click('.undo-ask button');
    await page.locator('body.import-undone').waitFor();
    const undone = await page.locator('main .message-info').textContent();
    return { marked, types, said, rejects, count, asked, undone, faults };
  },
  // An import that takes a while, watched: how often what the page says changed, until it is done.
  async watchImport(page) {
    const rows = Array.from({ length: 900000 }, (_, i) => `${i},name ${i},${i % 1000}`).join('\n');
    const [path] = await page.evaluate(async (text) => {
      const headers = { 'Tus-Resumable': '1.0.0', 'Upload-Length': String(text.length) };
      const made = await fetch('/-/upload', { method: 'POST', headers });
      const url = made.headers.get('Location');
      await fetch(url, {
        method: 'PATCH',
        headers: { ...headers, 'Upload-Offset': '0', 'Content-Type': 'application/offset+octet-stream' },
        body: text,
      });
      return [url.replace('/upload/', '/import/')];
    }, `code,name,n\n${rows}\n`);
    await page.goto(new URL(path, page.url()).href);
    await page.locator('#import-table').fill('watched');
    await page.evaluate(() => sessionStorage.setItem('said', '[]'));
    await page.addInitScript(() => {
      addEventListener('DOMContentLoaded', () => {
        const text = document.querySelector('[data-import-text]');
        const keep = () => {
          const said = JSON.parse(sessionStorage.getItem('said'));
          sessionStorage.setItem('said', JSON.stringify([...said, text.textContent]));
        };
        if (text) new MutationObserver(keep).observe(text, { childList: true, characterData: true, subtree: true });
      });
    });
    await page.click('button[value=start]');
    await page.locator('body.import-done').waitFor({ timeout: 240000 });
    return page.evaluate(() => JSON.parse(sessionStorage.getItem('said')));
  },
  // A key of another table is found by its label, and what is typed is no null any more.
  async editRow(page) {
    const field = page.locator('[data-column=topic] input[type=text]');
    const none = page.locator('[data-column=topic] .row-null input');
    await none.check();
    await field.fill('Bot');
    await page.waitForFunction(() => document.querySelectorAll('datalist option').length === 1);
    const options = await page.locator('datalist option').evaluateAll((all) => all.map((o) => [o.value, o.label]));
    const ticked = await none.isChecked();
    await field.fill(options[0][0]);
    await page.keyboard.press('Enter');
    await page.locator('.message-info').waitFor();
    return [options, ticked, await page.locator('.message-info').textContent()];
  },
  // Columns are added, renamed and dropped by keyboard and mouse.
  async alterTable(page) {
    const rows = page.locator('.column-editor tbody tr');
    await page.click('text=Add a column');
    await page.keyboard.type('extra');
    await rows.last().locator('select').nth(0).selectOption('integer');
    await page.locator('[aria-label="Name of title"]').fill('heading');
    await page.locator('[aria-label="Drop body"]').check();
    await page.click('text=Apply changes');
    const asked = await page.locator('#losses').textContent();
    const faults = await axeFaults(page);
    await page.click('#losses button');
    await page.locator('h2.row-count').waitFor();
    const names = await page.locator('th[data-column]').evaluateAll((all) => all.map((th) => th.dataset.column));
    return { asked: asked.replace(/\s+/g, ' '), names, faults };
  },
  // The connection is lost in the middle and the page closed; the same file, given again, goes on where it was.
  async uploadAgain(page) {
    const give = async () => {
      await page.evaluate(() => {
        const text = 'a\n' + ('x'.repeat(99) + '\n').repeat(180000), // three pieces
          transfer = new DataTransfer();
        transfer.items.add(new File([text], 'again.csv', { lastModified: 1000 }));
        document.querySelector('#upload-file').files = transfer.files;
      });
      await page.click('input[type=submit]');
    };
    let pieces = 0;
    await page.route('**/-/upload/*', (route) =>
      route.request().method() === 'PATCH' && ++pieces > 1 ? route.abort() : route.continue(),
    );
    await give();
    await page.waitForFunction(() => /^[89]\.\d MB/.test(document.querySelector('[data-upload-text]').textContent));
    await page.reload();
    await page.unroute('**/-/upload/*');
    const sent = [];
    page.on('request', (r) => {
      if (r.method() === 'POST' || r.method() === 'PATCH') sent.push(r.method() + (r.headers()['upload-offset'] || ''));
    });
    await give();
    await page.waitForURL(/\/-\/import\//);
    return [sent, await page.locator('.import-preview').count()];
  },
  // Cells of a spreadsheet pasted onto a page.
  async pasteCells(page) {
    await page.evaluate(() => {
      const clipboardData = new DataTransfer();
      clipboardData.setData('text/plain', 'name\tn\nx\t1\ny\t2\n');
      document.body.dispatchEvent(new ClipboardEvent('paste', { bubbles: true, cancelable: true, clipboardData }));
    });
    await page.waitForURL(/\/-\/import\//);
    return page.locator('.import-preview tbody tr').allTextContents();
  },
  // The form with scripts: a chosen file goes up in pieces.
  async chooseFile(page) {
    const buffer = Buffer.from('a,b\n1,2\n');
    await page.locator('#upload-file').setInputFiles({ name: 'chosen.csv', mimeType: 'text/csv', buffer });
    await page.click('input[type=submit]');
    await page.waitForURL(/\/-\/import\//);
    return page.locator('#import-table').inputValue();
  },
  async theme(page) {
    const colour = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const seen = [await colour()];
    await page.click('[data-theme-toggle]');
    await page.click('[data-theme-toggle]');
    seen.push(await colour());
    await page.reload();
    seen.push(await colour());
    await page.evaluate(() => localStorage.clear());
    return seen;
  },
  async editor(page) {
    await page.locator('.cm-content').click();
    await page.keyboard.press('Control+A');
    await page.keyboard.type('select AlbumId,Title from Album where ArtistId = :artist');
    await page.locator('#qp1').waitFor();
    const label = await page.locator('.sql-parameter-row label').textContent();
    await page.click('#sql-format');
    const formatted = await page.locator('textarea#sql-editor').inputValue();
    await page.locator('#qp1').fill('1');
    await Promise.all([page.waitForNavigation(), page.click('input[value="Run SQL"]')]);
    return [label, formatted.split('\n').length, await page.locator('.rows-and-columns tbody tr').count()];
  },
  async completion(page) {
    await page.locator('.cm-content').click();
    await page.keyboard.press('Control+A');
    await page.keyboard.type('select * from Alb');
    // Each letter asks anew: an earlier list may still be on the screen.
    await page.locator('.cm-completionLabel', { hasText: 'Alb' }).first().waitFor();
    return page.locator('.cm-completionLabel').allTextContents();
  },
  async fold(page) {
    const height = () =>
      page
        .locator('.fold')
        .first()
        .evaluate((node) => node.offsetHeight);
    const before = await height();
    await page.click('.fold-toggle >> nth=0');
    return [before, await height()];
  },
  // What tests/browser/plugin.js saw and made; it came through extra_js_urls.
  async loadedPlugin(page) {
    const panel = page.locator('.above-table-panel');
    const tabs = await panel.locator('.tab-controls button').allTextContents();
    await panel.locator('button', { hasText: 'Second' }).click();
    const shown = await panel.locator('[role=tabpanel]:visible').allTextContents();
    await page.click('th[data-column] .column-menu-open >> nth=1');
    const item = page.locator('.column-menu [role=menuitem]', { hasText: 'Remember Title' });
    const link = await page.locator('.column-menu [role=menuitem]', { hasText: 'Elsewhere' }).getAttribute('href');
    await item.click();
    await page.keyboard.press('/');
    const section = await page.locator('.jump-section').textContent();
    return { tabs, shown, link, section, faults: await axeFaults(page), seen: await page.evaluate(() => window.seen) };
  },
  async columnField(page) {
    const area = page.locator('textarea[name$="Name"], textarea[id^="field-"]').first();
    await page.locator('.plugin-button').click();
    return [await area.inputValue(), await page.evaluate(() => window.fields), await axeFaults(page)];
  },
  /* With the keyboard alone: open the dialog, make a link, copy it, follow it as somebody else, withdraw it. */
  async share(page) {
    await page.evaluate(() => { /* as phones have it */
      navigator.share = async (what) => { window.sent = what; };
    });
    const opener = page.locator('[data-share-open]');
    await opener.focus();
    await page.keyboard.press('Enter');
    const box = page.locator('dialog.share-box[open]');
    await box.waitFor();
    const faults = await axeFaults(page),
      title = await page.evaluate(() => document.activeElement.textContent);
    await page.keyboard.press('Tab'); /* the heading's link */
    await page.keyboard.press('Tab'); /* the radio buttons */
    await page.keyboard.press('ArrowDown');
    const person = await box.locator('#share-who').isVisible();
    await page.keyboard.press('ArrowUp');
    const password = await box.locator('#share-password').isVisible();
    await box.locator('input[type=submit]').focus();
    await page.keyboard.press('Enter');
    const field = box.locator('.share-item input[readonly]').first();
    await field.waitFor();
    const url = await field.inputValue(),
      said = await box.locator('.message-info').textContent();
    await box.locator('button:text("Send…")').first().focus();
    await page.keyboard.press('Enter');
    await page.waitForFunction(() => window.sent);
    const sent = await page.evaluate(() => window.sent.url);
    await box.locator('[data-share-copy]').first().focus();
    await page.keyboard.press('Enter');
    await page.waitForFunction(() => /^(Copied|Press)/.test(document.querySelector('[data-share-copy]').textContent));
    const other = await page.context().browser().newContext(),
      theirs = await other.newPage();
    await theirs.goto(url);
    const seen = {
      path: new URL(theirs.url()).pathname,
      banner: await theirs.locator('.share-banner').textContent(),
      rows: await theirs.locator('.rows-and-columns tbody tr').count(),
      faults: await axeFaults(theirs),
    };
    await theirs.goto(new URL('/d', url).href);
    seen.database = await theirs.locator('h1').textContent();
    const framed = await other.newPage();
    await framed.setContent(`<iframe src="${url}?_embed=1" style="width:600px;height:300px"></iframe>`);
    const rows = framed.frameLocator('iframe').locator('tbody tr');
    await rows.first().waitFor();
    seen.framed = await rows.count();
    const more = await axeFaults(page);
    await box.locator('button[value=withdraw]').first().focus();
    await page.keyboard.press('Enter');
    await page.waitForFunction(() => !document.querySelector('dialog button[value=withdraw]'));
    await box.locator('button[value=restore]').first().waitFor();
    seen.after = (await theirs.goto(url)).status();
    await other.close();
    await page.keyboard.press('Escape');
    await box.waitFor({ state: 'hidden' });
    const back = await page.evaluate(() => document.activeElement.hasAttribute('data-share-open'));
    return { title, person, password, said, url, sent, seen, back, faults: faults.concat(more) };
  },
  async plugin(page) {
    return page.evaluate(() => {
      const m = window.__DATASETTE__,
        made = [];
      m.registerPlugin('one', {
        version: 1,
        makeColumnActions: (c) => [{ label: 'Copy ' + c.columnName, onClick: () => made.push(c.columnName) }],
        makeAboveTablePanelConfigs: () => [
          {
            id: 'p',
            label: 'Panel',
            render: (node) => {
              node.textContent = 'in the panel';
            },
          },
        ],
      });
      document.querySelectorAll('th[data-column] .column-menu-open')[1].click();
      const item = Array.from(document.querySelectorAll('.column-menu [role=menuitem]')).pop();
      item.click();
      return [item.textContent, made, document.querySelector('.above-table-panel').textContent];
    });
  },
};

// Runs in the page.
function focusFault() {
  const node = document.activeElement;
  if (!node || node === document.body) return 'end';
  const box = node.getBoundingClientRect(),
    style = getComputedStyle(node),
    label = (node.getAttribute('aria-label') || node.textContent).trim().slice(0, 40),
    name = `${node.tagName}.${node.className} "${label}"`;
  for (let up = node; up; up = up.parentElement)
    if (getComputedStyle(up).clipPath.startsWith('inset(50%')) return `clipped: ${name}`;
  if (box.width < 2 || box.height < 2) return `no size: ${name}`;
  const inside = (at, size) => Math.max(1, Math.min(size - 1, at));
  const top = document.elementFromPoint(
    inside(box.left + box.width / 2, innerWidth),
    inside(box.top + box.height / 2, innerHeight),
  );
  if (top && !node.contains(top) && !top.contains(node)) return `covered: ${name}`;
  if (style.outlineStyle === 'none' && !node.closest('.cm-focused')) return `no outline: ${name}`;
  return '';
}

// Runs in the page: what somebody hears who cannot see where the focus is.
function focusSaid() {
  const node = document.activeElement,
    text = (id) => (document.getElementById(id) || { textContent: '' }).textContent.trim(),
    described = (node.getAttribute('aria-describedby') || '').split(' ').filter(Boolean).map(text).join(' ');
  return { invalid: node.getAttribute('aria-invalid'), described, error: text('error'), title: document.title };
}

// Runs in the page: how much moved since it was opened, as CLS has it.
function layoutShift() {
  return new Promise((resolve) => {
    let sum = 0;
    const add = (list) => list.getEntries().forEach((e) => (sum += e.hadRecentInput ? 0 : e.value));
    new PerformanceObserver(add).observe({ type: 'layout-shift', buffered: true });
    requestAnimationFrame(() => setTimeout(() => resolve(sum)));
  });
}

// Runs in the page.
function walkFocus() {
  const stops = Array.from(
    document.querySelectorAll('a[href], button, input, select, textarea, summary, [tabindex], [contenteditable=true]'),
  ).filter((node) => node.tabIndex >= 0 && !node.disabled && node.checkVisibility({ visibilityProperty: true }));
  const faults = [];
  for (const node of stops) {
    node.focus({ focusVisible: true });
    if (node.tabIndex > 0) faults.push(`out of order: ${node.outerHTML.slice(0, 80)}`);
    if (document.activeElement !== node) continue; // of a group of radio buttons, say
    const fault = node.closest('.cm-editor') ? '' : focusFault();
    if (fault) faults.push(fault);
  }
  return [stops.length, faults];
}

const AXE = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

async function axeFaults(page) {
  await page.evaluate(AXE);
  const found = await page.evaluate(
    (tags) => window.axe.run(document, { runOnly: tags, resultTypes: ['violations'] }),
    AXE_RULES,
  );
  return found.violations.map(
    (v) =>
      `${v.id}: ${v.nodes
        .slice(0, 3)
        .map((n) => n.target.join(' '))
        .join('; ')}`,
  );
}

async function send(page, what) {
  const answer = page.waitForResponse((r) => r.request().isNavigationRequest() && r.request().method() === 'POST');
  const loaded = page.waitForEvent('load');
  let last = null;
  await page.evaluate(() => document.querySelectorAll('form').forEach((form) => (form.noValidate = true)));
  for (const [selector, value] of Object.entries(what)) {
    last = page.locator(selector).first();
    if (value === null) await last.click();
    else await last.fill(value);
  }
  if (!Object.values(what).includes(null)) await last.evaluate((node) => node.form.requestSubmit());
  const response = await answer;
  await loaded;
  return response;
}

async function visit(context, job, name, path, width, scheme) {
  const page = await context.newPage(),
    target = new URL(path, job.base),
    seen = { name, width, scheme, errors: [], elsewhere: [], bytes: 0, requests: 0 };
  page.on('console', (m) => {
    if (m.type() === 'error') seen.errors.push(m.text());
  });
  page.on('pageerror', (e) => seen.errors.push(e.message));
  page.on('request', (r) => {
    if (new URL(r.url()).origin !== target.origin && !r.url().startsWith('data:')) seen.elsewhere.push(r.url());
  });
  page.on('requestfinished', async (r) => {
    seen.requests++;
    const sizes = await r.sizes().catch(() => null);
    if (sizes) seen.bytes += sizes.responseBodySize;
  });
  page.setDefaultTimeout(120000);
  let response = await page.goto(target.href, { waitUntil: 'load' });
  if (job.send && job.send[name]) response = await send(page, job.send[name]);
  seen.status = response.status();
  if (job.scripts !== false)
    await page.waitForFunction(() => !document.querySelector('#sql-editor') || window.editor);
  seen.overflow = await page.evaluate(
    () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
  );
  if (job.scripts !== false) seen.shift = await page.evaluate(layoutShift);
  if (Array.isArray(job.axe) ? job.axe.includes(name) : job.axe) seen.axe = await axeFaults(page);
  if (job.pictures)
    await page.screenshot({ path: `${job.pictures}/${name}-${width}-${scheme}.png`, fullPage: !!job.whole });
  if (job.focus) seen.focus = await page.evaluate(focusSaid);
  if (job.scripts === false) seen.dead = await page.locator('[data-scripted]:visible').count();
  if (job.fingers) seen.low = await actions.lowControls(page);
  if (job.keyboard) seen.keyboard = await actions.focusWalk(page);
  if (job.act && job.act[name]) seen.acted = await actions[job.act[name]](page);
  await page.close(); // what it asks for last, such as its icon, has failed by now too
  if (seen.status >= 400) seen.errors = seen.errors.filter((text) => !text.startsWith('Failed to load resource'));
  return seen;
}

async function look(browser, job) {
  const out = [];
  for (const width of job.widths || [1280]) {
    for (const scheme of job.schemes || ['light']) {
      const context = await browser.newContext({
        viewport: { width, height: width > 576 ? 850 : 844 },
        colorScheme: scheme,
        javaScriptEnabled: job.scripts !== false,
      });
      try {
        if (job.cookies) await context.addCookies(job.cookies.map((cookie) => ({ url: job.base, ...cookie })));
        const todo = Object.entries(job.pages);
        const worker = async () => {
          for (let next; (next = todo.shift());) out.push(await visit(context, job, next[0], next[1], width, scheme));
        };
        await Promise.all([worker(), worker()]);
      } finally {
        await context.close();
      }
    }
  }
  return out;
}

let browser = null;
for await (const line of createInterface({ input: process.stdin })) {
  let said;
  try {
    if (!browser || !browser.isConnected())
      browser = await chromium.launch({ executablePath: process.env.CHROMIUM || '/usr/bin/chromium', args: ARGS });
    said = await look(browser, JSON.parse(line));
  } catch (error) {
    process.exitCode = 1;
    said = { fault: error.stack };
  }
  process.stdout.write(JSON.stringify(said) + '\n');
}
if (browser) await browser.close();
