/** What this device is and how it looks and sounds. */
import { useState } from 'preact/hooks';
import { c } from '../../common/text';
import { Button, Card, Descriptions, Dialog, Section, Segmented, SelectField, Switch } from '../../kit';
import { useAct, useLoad } from '../../lib/load';
import { type Prefs, setPrefs, usePrefs } from '../../lib/prefs';
import { href } from '../../lib/router';
import { listTills } from '../api';
import { charge } from '../charge';
import { Frame } from '../frame';
import { chooseLang } from '../lang';
import { chooseTill, leave, useMe } from '../me';
import { t } from '../text';
import { Refusal } from '../view';
import { setMuted, setOwn, sound, tryOut } from '../voice';

export default function Settings() {
  const held = usePrefs();
  const who = useMe();
  const heard = sound.use();
  const tills = useLoad(listTills, []);
  const [asking, setAsking] = useState(false);
  const out = useAct(leave);
  const under = charge.use();
  const name = (id: string) => tills.data?.find((till) => till.id === id)?.name ?? id;
  return (
    <Frame title={t('settings.title')} tab="/more" back={href('/more')}>
      <Section title={t('settings.here')}>
        <Card>
          <Descriptions
            items={[
              { label: t('settings.shop'), value: who.shop.name },
              { label: t('settings.role'), value: t(`role.${who.role}`) },
              ...(who.bound ? [{ label: t('orders.till'), value: name(who.bound) }] : []),
            ]}
          />
          {!who.bound && who.role !== 'viewer' && (tills.data ?? []).length > 0 && (
            <SelectField
              label={t('settings.till')}
              hint={t('settings.till.hint')}
              value={who.till ?? ''}
              options={[{ value: '', label: t('settings.till.none') }, ...(tills.data ?? []).map((till) => ({ value: till.id, label: till.name }))]}
              onChange={(till) => chooseTill(till || undefined)}
              disabled={under !== undefined}
            />
          )}
        </Card>
      </Section>
      <Section title={t('settings.sound')}>
        <Card>
          <Switch label={t('settings.speak')} note={heard.voice ? t('settings.speak.note') : t('settings.chime.note')} checked={!heard.muted} onChange={(on) => setMuted(!on)} />
          {who.till !== undefined && <Switch label={t('settings.own')} note={t('settings.own.note')} checked={heard.own} disabled={heard.muted} onChange={setOwn} />}
          <Button icon="sound" disabled={heard.muted} onClick={() => tryOut(who.currency)}>
            {t('settings.try')}
          </Button>
        </Card>
      </Section>
      <Section title={t('settings.look')}>
        <Card>
          <Segmented
            showLabel
            label={c('settings.language')}
            value={held.lang}
            options={[
              { value: 'zh', label: c('settings.zh') },
              { value: 'en', label: c('settings.en') },
            ]}
            onChange={(lang) => void chooseLang(lang as Prefs['lang'])}
          />
          <Segmented
            showLabel
            label={c('settings.theme')}
            value={held.theme}
            options={(['auto', 'light', 'dark'] as const).map((one) => ({ value: one, label: c(`settings.${one}`) }))}
            onChange={(theme) => setPrefs({ theme: theme as Prefs['theme'] })}
          />
          <Switch label={c('settings.contrast')} checked={held.contrast === 'high'} onChange={(on) => setPrefs({ contrast: on ? 'high' : 'auto' })} />
          <Switch label={c('settings.elder')} note={c('settings.elder.note')} checked={held.elder} onChange={(elder) => setPrefs({ elder })} />
        </Card>
      </Section>
      <Button block icon="logout" onClick={() => setAsking(true)}>
        {c('sign.out')}
      </Button>
      <Dialog
        open={asking}
        onClose={() => setAsking(false)}
        title={t('settings.leave')}
        actions={
          <>
            <Button onClick={() => setAsking(false)}>{c('cancel')}</Button>
            <Button kind="danger" busy={out.busy} onClick={() => out.run()}>
              {c('sign.out')}
            </Button>
          </>
        }
      >
        <p>{t('settings.leave.note')}</p>
        <Refusal failure={out.failure} />
      </Dialog>
    </Frame>
  );
}
