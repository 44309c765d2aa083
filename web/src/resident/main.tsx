/** The resident's app begins. */
import { render } from 'preact';
import '../kit';
import './app.css';
import { loadCommon } from '../common/text';
import { applyPrefs, prefs } from '../lib/prefs';
import { App } from './app';
import { start } from './state';
import { load } from './text';

applyPrefs();
start();
await Promise.all([load(prefs().lang), loadCommon(prefs().lang)]);
const root = document.getElementById('app');
if (root) render(<App />, root);
if (import.meta.env.PROD && 'serviceWorker' in navigator) void navigator.serviceWorker.register('/sw.js');
