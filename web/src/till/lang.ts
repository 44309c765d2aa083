/** The texts of a language: loaded first, then shown. */
import { loadCommon } from '../common/text';
import { type Lang, setPrefs } from '../lib/prefs';
import { load } from './text';
import { voiceChanged } from './voice';

export const loadTexts = (lang: Lang): Promise<unknown> => Promise.all([load(lang), loadCommon(lang)]);

export async function chooseLang(lang: Lang): Promise<void> {
  await loadTexts(lang);
  setPrefs({ lang });
  voiceChanged();
}
