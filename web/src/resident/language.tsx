/** The choice of language: the other catalogues are fetched before anything is drawn in it. */
import { c, loadCommon } from '../common/text';
import { Segmented } from '../kit';
import { asFailure } from '../lib/load';
import { type Lang, prefs, setPrefs } from '../lib/prefs';
import { toast } from '../kit';
import { failureText } from '../common/text';
import { load } from './text';

async function choose(lang: Lang): Promise<void> {
  try {
    await Promise.all([load(lang), loadCommon(lang)]);
    setPrefs({ lang });
  } catch (error) {
    toast(failureText(asFailure(error)), 'bad');
  }
}

export const LanguageChoice = () => (
  <Segmented
    label={c('settings.language')}
    showLabel
    value={prefs().lang}
    options={[
      { value: 'zh', label: c('settings.zh') },
      { value: 'en', label: c('settings.en') },
    ]}
    onChange={(lang) => void choose(lang as Lang)}
  />
);
