/** One family link: consenting to it, ending it, and what is due on the accounts of somebody I look after. */
import { useState } from 'preact/hooks';
import { c, failureText } from '../../common/text';
import { Amount, Badge, Button, Card, Cell, Dialog, Empty, List, Section, Segmented, Stack, toast } from '../../kit';
import { day, money } from '../../lib/format';
import { useAct, useLoad, useOnline } from '../../lib/load';
import { href } from '../../lib/router';
import type { ScreenProps } from '../app';
import * as api from '../api';
import { Facts } from '../paying';
import { SubScreen, here } from '../screen';
import { categoryIcon, named } from '../services';
import { useMe } from '../state';
import { Loaded, PinSheet, Refused } from '../states';
import { t } from '../text';

export default function MemberScreen({ params }: ScreenProps) {
  const id = params.id ?? '';
  const link = useLoad((signal) => api.familyLink(id, signal), [id]);
  const online = useOnline();
  const [ending, setEnding] = useState(false);
  const end = useAct(async () => {
    link.set(await api.endFamily(id));
    setEnding(false);
    toast(t('family.ended'), 'ok');
  });
  return (
    <SubScreen title={t('family.one')} back="#/family">
      <Loaded of={link} shape="card">
        {(one) => {
          const live = one.state === 'invited' || one.state === 'active';
          const declines = one.role === 'owner' && one.state === 'invited';
          return (
            <>
              <div class="person">
                <p class="person-name">
                  {one.label || one.other_name} <Badge tone={one.state === 'active' ? 'ok' : one.state === 'invited' ? 'warn' : 'neutral'}>{t(`family.state.${one.state}`)}</Badge>
                </p>
                <p class="muted">
                  {one.label && `${one.other_name} `}
                  <span class="k-num">{one.other_phone}</span>
                </p>
              </div>
              <Card>
                <Facts
                  rows={[
                    [t('family.asked'), t(`family.may.${one.asked}`)],
                    ...(one.granted ? [[t('family.granted'), t(`family.may.${one.granted}`)] as [string, string]] : []),
                    ...(one.state === 'invited' ? [[t('family.lapses'), day(one.lapses_at)] as [string, string]] : []),
                    ...(one.consented_at ? [[t('family.since'), day(one.consented_at)] as [string, string]] : []),
                    ...(one.ended_at ? [[t('family.until'), day(one.ended_at)] as [string, string]] : []),
                  ]}
                />
              </Card>
              {one.role === 'owner' && live && <Consent link={one} changed={link.set} />}
              {one.role === 'helper' && one.state === 'active' && <Due link={one} />}
              {live && (
                <Button block kind="danger" disabled={!online} onClick={() => setEnding(true)}>
                  {t(declines ? 'family.decline' : 'family.end')}
                </Button>
              )}
              <Dialog
                open={ending}
                title={t(declines ? 'family.decline.title' : 'family.end.title')}
                onClose={() => setEnding(false)}
                actions={
                  <>
                    <Button onClick={() => setEnding(false)}>{c('cancel')}</Button>
                    <Button kind="danger" busy={end.busy} onClick={() => end.run()}>
                      {t(declines ? 'family.decline' : 'family.end')}
                    </Button>
                  </>
                }
              >
                <p>{t('family.end.note')}</p>
                <Refused failure={end.failure} />
              </Dialog>
            </>
          );
        }}
      </Loaded>
    </SubScreen>
  );
}

/** The owner says what the other may, with the PIN. */
function Consent({ link, changed }: { link: api.FamilyLink; changed: (link: api.FamilyLink) => void }) {
  const me = useMe();
  const online = useOnline();
  const [may, setMay] = useState<api.FamilyMay>(link.granted ?? link.asked);
  const [pin, setPin] = useState(false);
  const act = useAct(async (digits: string) => {
    changed(await api.consentFamily(link.id, may, digits));
    setPin(false);
    toast(t('family.consented'), 'ok');
  });
  const pinFailure = act.failure?.code.startsWith('pin_') ? act.failure : undefined;
  const noPin = me.data !== undefined && !me.data.resident.has_pin;
  return (
    <Section title={t('family.consent.title')}>
      <Card>
        <Stack>
          <p>{t('family.consent.note')}</p>
          {link.asked === 'pay' && (
            <Segmented
              label={t('family.may')}
              showLabel
              value={may}
              onChange={(value) => setMay(value as api.FamilyMay)}
              options={[
                { value: 'watch', label: t('family.may.watch') },
                { value: 'pay', label: t('family.may.pay') },
              ]}
            />
          )}
          <p class="muted">{t(`family.may.${may}.owner`)}</p>
          {!pinFailure && <Refused failure={act.failure} />}
          {noPin ? (
            <Button block href={href('/me/pin', { next: here() })}>
              {t('pin.set')}
            </Button>
          ) : (
            <Button
              block
              kind="primary"
              disabled={!online || may === link.granted}
              onClick={() => {
                act.clear();
                setPin(true);
              }}
            >
              {t(link.granted ? 'family.change' : 'family.consent')}
            </Button>
          )}
        </Stack>
      </Card>
      <PinSheet
        open={pin && (act.failure === undefined || pinFailure !== undefined)}
        heading={t('family.consent.title')}
        title={<p>{t('family.consent.for', { name: link.other_name, may: t(`family.may.${may}`) })}</p>}
        busy={act.busy}
        error={pinFailure && failureText(pinFailure)}
        onPin={(digits) => act.run(digits)}
        onClose={() => setPin(false)}
      />
    </Section>
  );
}

function Due({ link }: { link: api.FamilyLink }) {
  const due = useLoad((signal) => api.familyDue(link.id, signal), [link.id]);
  return (
    <Section title={t('family.due')}>
      <Loaded of={due}>
        {(bills) =>
          bills.length === 0 ? (
            <Empty icon="check" tone="ok" title={t('family.due.none')} />
          ) : (
            <List>
              {bills.map((one) => (
                <Cell
                  key={one.bill}
                  icon={categoryIcon(one.category)}
                  href={href(`/bills/${one.biller}/${encodeURIComponent(one.account_no)}`)}
                  title={
                    <>
                      {named(one.biller_name)} {one.overdue && <Badge tone="bad">{t('bill.overdue')}</Badge>}
                    </>
                  }
                  note={
                    <>
                      <span class="k-num">{one.account_no}</span> · {t('bill.due', { day: day(one.due_on) })}
                    </>
                  }
                  value={<Amount text={money(one.amount)} />}
                />
              ))}
            </List>
          )
        }
      </Loaded>
      {link.granted === 'pay' && (
        <List>
          <Cell icon="refresh" href={href('/autopay/new', { family: link.id })} title={t('autopay.set')} note={t('family.autopay.note')} />
        </List>
      )}
    </Section>
  );
}
