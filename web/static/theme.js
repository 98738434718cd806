/* SPDX-License-Identifier: Apache-2.0 */
/* Before the first paint: the colours that the reader chose, on <html>. The rest of it is in base.js. */
document.documentElement.dataset.theme = 'auto';
try {
  document.documentElement.dataset.theme = localStorage.getItem('theme') || 'auto';
} catch (e) {
  /* private window */
}
