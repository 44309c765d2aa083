/** Language, appearance and size of this browser. */
import { c } from '../common/text';
import { Segmented, Stack, Switch } from '../kit';
import { type Lang, setPrefs, type Prefs as Choices, usePrefs } from '../lib/prefs';

export function Prefs() {
  const held = usePrefs();
  return (
    <Stack>
      <Segmented
        label={c('settings.language')}
        showLabel
        value={held.lang}
        options={[
          { value: 'zh', label: c('settings.zh') },
          { value: 'en', label: c('settings.en') },
        ]}
        onChange={(lang) => setPrefs({ lang: lang as Lang })}
      />
      <Segmented
        label={c('settings.theme')}
        showLabel
        value={held.theme}
        options={[
          { value: 'auto', label: c('settings.auto') },
          { value: 'light', label: c('settings.light') },
          { value: 'dark', label: c('settings.dark') },
        ]}
        onChange={(theme) => setPrefs({ theme: theme as Choices['theme'] })}
      />
      <Switch label={c('settings.contrast')} checked={held.contrast === 'high'} onChange={(on) => setPrefs({ contrast: on ? 'high' : 'auto' })} />
      <Switch label={c('settings.elder')} note={c('settings.elder.note')} checked={held.elder} onChange={(elder) => setPrefs({ elder })} />
    </Stack>
  );
}
