// SPDX-License-Identifier: Apache-2.0
// Bundles what needs npm packages: node web/build.mjs --out DIR writes DIR/editor.js. Everything else in web/static is
// shipped as it is. The output depends on nothing but the sources and the packages of package-lock.json.
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
const at = process.argv.indexOf('--out');
const out = at > 0 ? process.argv[at + 1] : undefined;
if (!out) {
  console.error('build.mjs: say where to write: node web/build.mjs --out DIR');
  process.exit(2);
}

let build;
try {
  ({ build } = await import('esbuild'));
} catch {
  console.error('build.mjs: the module esbuild is missing: run "make setup"');
  process.exit(1);
}

await mkdir(out, { recursive: true });
await build({
  entryPoints: [path.join(here, 'src', 'editor.js')],
  outfile: path.join(out, 'editor.js'),
  absWorkingDir: path.dirname(here),
  bundle: true,
  format: 'iife',
  target: ['es2020'],
  minify: true,
  legalComments: 'none', // the licences of the packages are in NOTICE
  banner: { js: '/* SPDX-License-Identifier: Apache-2.0 AND MIT */' },
  logLevel: 'warning',
});
