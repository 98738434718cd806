/* SPDX-License-Identifier: Apache-2.0 */
// The SQL editor: CodeMirror over textarea#sql-editor, which completes the tables and columns of #sql-schema, and the
// formatter behind #sql-format. The text area stays in the form and always holds the text: nothing else changes.
import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap } from '@codemirror/autocomplete';
import { defaultKeymap, history, historyKeymap } from '@codemirror/commands';
import { SQLite, sql } from '@codemirror/lang-sql';
import { HighlightStyle, bracketMatching, indentOnInput, syntaxHighlighting } from '@codemirror/language';
import { EditorState } from '@codemirror/state';
import { EditorView, drawSelection, highlightSpecialChars, keymap, lineNumbers } from '@codemirror/view';
import { tags } from '@lezer/highlight';
import { formatDialect, sqlite } from 'sql-formatter';

// Colours come from custom properties of app.css, so that both colour schemes work without a second theme.
const highlight = HighlightStyle.define([
  { tag: tags.keyword, color: 'var(--link)', fontWeight: '550' },
  { tag: [tags.string, tags.special(tags.string)], color: 'var(--info)' },
  { tag: [tags.number, tags.bool, tags.null], color: 'var(--warn)' },
  { tag: tags.comment, color: 'var(--muted)', fontStyle: 'italic' },
  { tag: tags.typeName, color: 'var(--visited)' },
]);

const theme = EditorView.theme({
  '&': { color: 'var(--text)' },
  '&.cm-focused': { outline: '2.5px solid var(--focus)', outlineOffset: '2px' },
  '.cm-content': { caretColor: 'var(--text)', padding: '.5rem 0', fontFamily: 'var(--mono)' },
  '.cm-content, .cm-gutter': { minHeight: '4.9rem' },
  '.cm-cursor': { borderLeftColor: 'var(--text)' },
  '.cm-scroller': { fontFamily: 'var(--mono)', lineHeight: '1.5' },
  '.cm-gutters': { backgroundColor: 'var(--sunken)', color: 'var(--muted)', border: 'none' },
  '&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground': {
    background: 'var(--mark)',
  },
  '.cm-tooltip': { background: 'var(--surface)', color: 'var(--text)', border: '1px solid var(--line)' },
  '.cm-tooltip-autocomplete ul li[aria-selected]': { background: 'var(--accent)', color: 'var(--on-accent)' },
  '.cm-completionIcon': { boxSizing: 'content-box' },
});

function format(text) {
  return formatDialect(text, { dialect: sqlite, keywordCase: 'lower', paramTypes: { named: [':', '@', '$'] } });
}

function readSchema() {
  const node = document.getElementById('sql-schema');
  try {
    return node ? JSON.parse(node.textContent) : {};
  } catch {
    return {};
  }
}

export function editorFromTextArea(textarea, { schema = {} } = {}) {
  const submit = () => {
    textarea.form?.requestSubmit();
    return true;
  };
  const view = new EditorView({
    state: EditorState.create({
      doc: textarea.value,
      extensions: [
        keymap.of([
          { key: 'Shift-Enter', run: submit },
          { key: 'Mod-Enter', run: submit },
          ...closeBracketsKeymap,
          ...defaultKeymap,
          ...historyKeymap,
          ...completionKeymap,
        ]),
        lineNumbers(),
        highlightSpecialChars(),
        history(),
        drawSelection(),
        indentOnInput(),
        bracketMatching(),
        closeBrackets(),
        autocompletion(),
        sql({ dialect: SQLite, schema, upperCaseKeywords: false }),
        syntaxHighlighting(highlight),
        theme,
        EditorView.lineWrapping,
        EditorView.contentAttributes.of({ 'aria-label': textarea.getAttribute('aria-label') || 'SQL' }),
        EditorView.updateListener.of((update) => {
          if (!update.docChanged) return;
          textarea.value = update.state.doc.toString();
          textarea.dispatchEvent(new Event('input', { bubbles: true }));
        }),
      ],
    }),
  });
  textarea.before(view.dom);
  textarea.style.display = 'none';
  return view;
}

function ready() {
  const textarea = document.querySelector('textarea#sql-editor');
  const button = document.querySelector('button#sql-format');
  const fixed = document.querySelector('pre#sql-query');
  if (textarea) window.editor = editorFromTextArea(textarea, { schema: readSchema() });
  if (!button || (!fixed && !textarea)) return;
  const text = () => (fixed ? fixed.textContent : window.editor.state.doc.toString());
  button.hidden = false;
  button.addEventListener('click', () => {
    let formatted;
    try {
      formatted = format(text());
    } catch {
      button.title = 'This SQL cannot be formatted: it has an error';
      return;
    }
    if (fixed) fixed.textContent = formatted;
    else window.editor.dispatch({ changes: { from: 0, to: window.editor.state.doc.length, insert: formatted } });
  });
}

window.cm = { editorFromTextArea };
window.sqlFormatter = { format };
if (document.readyState === 'loading') document.addEventListener('DOMContentLoaded', ready);
else ready();
