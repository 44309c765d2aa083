/** What a person chose for this browser: language, theme, contrast, text size. No secret ever lies here. */
import { useEffect, useState } from 'preact/hooks';

export type Lang = 'zh' | 'en';
export interface Prefs {
  lang: Lang;
  theme: 'auto' | 'light' | 'dark';
  contrast: 'auto' | 'high';
  elder: boolean;
}

const KEY = 'yima.prefs';
const listeners = new Set<() => void>();

function read(): Prefs {
  const lang: Lang = navigator.language.toLowerCase().startsWith('zh') ? 'zh' : 'en';
  const fresh: Prefs = { lang, theme: 'auto', contrast: 'auto', elder: false };
  try {
    return { ...fresh, ...(JSON.parse(localStorage.getItem(KEY) ?? '{}') as Partial<Prefs>) };
  } catch {
    return fresh; // a browser that keeps nothing, or something else's text
  }
}

let held = read();

/** The choices as they are now. */
export const prefs = (): Prefs => held;

/** The locale of texts, money and dates. */
export const locale = (): string => (held.lang === 'zh' ? 'zh-CN' : 'en');

/** Writes the choices onto the document, where the style sheets look. */
export function applyPrefs(): void {
  const root = document.documentElement;
  root.lang = locale();
  const set = (name: string, value: string | undefined) =>
    value === undefined ? root.removeAttribute(name) : root.setAttribute(name, value);
  set('data-theme', held.theme === 'auto' ? undefined : held.theme);
  set('data-contrast', held.contrast === 'auto' ? undefined : held.contrast);
  set('data-elder', held.elder ? '' : undefined);
}

/** Changes some choices, at once and for later. */
export function setPrefs(change: Partial<Prefs>): void {
  held = { ...held, ...change };
  try {
    localStorage.setItem(KEY, JSON.stringify(held));
  } catch {
    // kept for this page only
  }
  applyPrefs();
  for (const listener of listeners) listener();
}

/** The choices; the component is drawn again when they change. */
export function usePrefs(): Prefs {
  const [, draw] = useState(0);
  useEffect(() => {
    const listener = () => draw((n) => n + 1);
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }, []);
  return held;
}
