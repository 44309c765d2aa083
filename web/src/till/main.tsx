import { render } from 'preact';
import { applyPrefs, prefs } from '../lib/prefs';
import { App } from './app';
import { loadTexts } from './lang';
import './app.css';

applyPrefs();
await loadTexts(prefs().lang);
const root = document.getElementById('app');
if (root) render(<App />, root);
