/** Me: who I am here, what I may pay, how I sign in, and how the app looks. */
import { useState } from 'preact/hooks';
import { c } from '../../common/text';
import { Button, Card, Cell, Dialog, List, Section, Segmented, Stack, Switch } from '../../kit';
import { money } from '../../lib/format';
import { useAct } from '../../lib/load';
import { type Prefs, prefs, setPrefs } from '../../lib/prefs';
import type { Me } from '../api';
import { LanguageChoice } from '../language';
import { hasPasskeys } from '../passkey';
import { TabScreen } from '../screen';
import { leave, useMe } from '../state';
import { Loaded, Refused } from '../states';
import { t } from '../text';
import { unsettled } from '../../lib/unsettled';

export default function MeScreen() {
  const me = useMe();
  const [asking, setAsking] = useState<'plain' | 'open'>();
  const out = useAct(leave);
  const ask = async () => setAsking((await unsettled().catch(() => [])).length > 0 ? 'open' : 'plain');
  return (
    <TabScreen title={t('tab.me')} tab="#/me">
      <Loaded of={me} shape="card">{(data) => <Person me={data} />}</Loaded>
      <Section title={t('me.bills')}>
        <List>
          <Cell icon="refresh" href="#/autopay" title={t('autopay.title')} />
          <Cell icon="people" href="#/family" title={t('family.title')} />
          <Cell icon="bell" href="#/me/reminders" title={t('reminders.title')} />
          <Cell icon="city" href="#/status" title={t('status.title')} />
        </List>
      </Section>
      <Section title={t('me.security')}>
        <List>
          <Cell
            icon="lock"
            href="#/me/pin"
            title={t('me.pin')}
            value={me.data ? t(me.data.resident.pin_locked ? 'me.pin.locked' : me.data.resident.has_pin ? 'me.pin.set' : 'me.pin.none') : ''}
          />
          {hasPasskeys() && <Cell key="passkeys" icon="passkey" href="#/me/passkeys" title={t('passkeys.title')} />}
          <Cell icon="mobile" href="#/me/devices" title={t('devices.title')} />
        </List>
      </Section>
      <Section title={t('me.look')}>
        <Card>
          <Stack>
            <LanguageChoice />
            <Segmented
              label={c('settings.theme')}
              showLabel
              value={prefs().theme}
              onChange={(theme) => setPrefs({ theme: theme as Prefs['theme'] })}
              options={(['auto', 'light', 'dark'] as const).map((value) => ({ value, label: c(`settings.${value}`) }))}
            />
            <Switch label={c('settings.contrast')} checked={prefs().contrast === 'high'} onChange={(on) => setPrefs({ contrast: on ? 'high' : 'auto' })} />
            <Switch label={c('settings.elder')} note={c('settings.elder.note')} checked={prefs().elder} onChange={(elder) => setPrefs({ elder })} />
          </Stack>
        </Card>
      </Section>
      <Button block icon="logout" onClick={() => void ask()}>
        {c('sign.out')}
      </Button>
      <Dialog
        open={asking !== undefined}
        title={t('me.out.title')}
        onClose={() => setAsking(undefined)}
        actions={
          <>
            <Button onClick={() => setAsking(undefined)}>{c('cancel')}</Button>
            <Button kind="danger" busy={out.busy} onClick={() => out.run()}>
              {c('sign.out')}
            </Button>
          </>
        }
      >
        <p>{t(asking === 'open' ? 'me.out.open' : 'me.out.note')}</p>
        <Refused failure={out.failure} />
      </Dialog>
    </TabScreen>
  );
}

/** `+8613800001111` as its owner writes it, with the middle hidden. */
const hiddenPhone = (phone: string): string => phone.replace(/^\+86/, '').replace(/^(.{3}).*(.{4})$/, '$1 **** $2');

function Person({ me }: { me: Me }) {
  const { resident, allowance_left, allowance_window, no_pin_limit } = me;
  const lifetime = allowance_window === 'lifetime';
  return (
    <Card>
      <div class="person">
        <p class="person-name">{resident.name}</p>
        <p class="muted k-num">{hiddenPhone(resident.phone)}</p>
      </div>
      <ul class="plain">
        <li>
          <strong>{t(`tier.${resident.tier}` as 'tier.1')}</strong> {t(`tier.${resident.tier}.note` as 'tier.1.note')}
        </li>
        <li>{t(lifetime ? 'limit.lifetime' : 'limit.year', { amount: money(allowance_left), year: allowance_window })}</li>
        <li>{t('limit.pin', { amount: money(no_pin_limit) })}</li>
        {resident.tier < 3 && <li>{t('tier.raise')}</li>}
      </ul>
    </Card>
  );
}
