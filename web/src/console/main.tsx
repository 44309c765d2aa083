import { render } from 'preact';
import { loadCommon } from '../common/text';
import { applyPrefs, prefs } from '../lib/prefs';
import { App } from './app';
import { loadTexts } from './text';
import './app.css';

applyPrefs();
const root = document.getElementById('app');
if (root) {
  await Promise.all([loadCommon(prefs().lang), loadTexts(prefs().lang)]);
  render(<App />, root);
}
