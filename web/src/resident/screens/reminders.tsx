/** How the person is reminded: when not, how long before, by SMS or not, of what. */
import { useState } from 'preact/hooks';
import { c } from '../../common/text';
import { Button, Card, Checkbox, DateField, Section, Segmented, SelectField, Stack, Switch, toast } from '../../kit';
import { useAct, useLoad, useOnline } from '../../lib/load';
import * as api from '../api';
import { SubScreen } from '../screen';
import { Loaded, Refused } from '../states';
import { t } from '../text';

/** Those of auto-pay always come. */
const KINDS: api.NoteKind[] = ['new_bill', 'due_soon', 'overdue', 'supply_cut_soon'];
const DAYS = ['1', '2', '3', '5', '7', '10', '15'];
const QUIET = { from: '21:30', to: '08:00' };

export default function RemindersScreen() {
  const held = useLoad(api.reminders, []);
  return (
    <SubScreen title={t('reminders.title')} back="#/me">
      <p class="lead">{t('reminders.lead')}</p>
      <Loaded of={held}>{(prefs) => <Form prefs={prefs} />}</Loaded>
    </SubScreen>
  );
}

function Form({ prefs }: { prefs: api.Reminders }) {
  const [now, setNow] = useState(prefs);
  const online = useOnline();
  const change = (part: Partial<api.Reminders>) => setNow({ ...now, ...part });
  const save = useAct(async () => {
    setNow(await api.setReminders(now));
    toast(t('reminders.saved'), 'ok');
  });
  const days = DAYS.includes(String(now.due_days)) ? DAYS : [...DAYS, String(now.due_days)];
  return (
    <form
      onSubmit={(e) => {
        e.preventDefault();
        save.run();
      }}
    >
      <Stack>
        <Section title={t('reminders.kinds')}>
          <Card>
            <Stack>
              {KINDS.map((kind) => (
                <Checkbox
                  key={kind}
                  label={t(`note.${kind}`)}
                  checked={!now.muted.includes(kind)}
                  onChange={(on) => change({ muted: on ? now.muted.filter((one) => one !== kind) : [...now.muted, kind] })}
                />
              ))}
              <p class="muted">{t('reminders.always')}</p>
              <SelectField
                label={t('reminders.days')}
                value={String(now.due_days)}
                onChange={(value) => change({ due_days: Number(value) })}
                options={days.map((value) => ({ value, label: t('reminders.before', { n: Number(value) }) }))}
              />
            </Stack>
          </Card>
        </Section>
        <Section title={t('reminders.quiet')}>
          <Card>
            <Stack>
              <Switch label={t('reminders.quiet')} note={t('reminders.quiet.note')} checked={now.quiet != null} onChange={(on) => change({ quiet: on ? QUIET : null })} />
              {now.quiet && (
                <div class="hours">
                  <DateField type="time" label={t('history.from')} value={now.quiet.from} onChange={(from) => change({ quiet: { from, to: now.quiet?.to ?? QUIET.to } })} />
                  <DateField type="time" label={t('history.to')} value={now.quiet.to} onChange={(to) => change({ quiet: { from: now.quiet?.from ?? QUIET.from, to } })} />
                </div>
              )}
            </Stack>
          </Card>
        </Section>
        <Section title={t('reminders.sms')}>
          <Card>
            <Stack>
              <Switch label={t('reminders.sms')} note={t('reminders.sms.note')} checked={now.sms} onChange={(sms) => change({ sms })} />
              {now.sms && (
                <Segmented
                  label={t('reminders.language')}
                  showLabel
                  value={now.language}
                  onChange={(language) => change({ language: language as api.Reminders['language'] })}
                  options={[
                    { value: 'zh', label: c('settings.zh') },
                    { value: 'en', label: c('settings.en') },
                  ]}
                />
              )}
            </Stack>
          </Card>
        </Section>
        <Refused failure={save.failure} />
        <Button kind="primary" type="submit" block busy={save.busy} disabled={!online}>
          {t('reminders.save')}
        </Button>
      </Stack>
    </form>
  );
}
