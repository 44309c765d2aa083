/** Looking at a resident: masked, with a reason, in the trail. */
import { useState } from 'preact/hooks';
import { Badge, Button, Card, Descriptions, Dialog, Empty, Page, Row, SelectField, Stack, TextField, toast } from '../kit';
import { c } from '../common/text';
import { useAct } from '../lib/load';
import { href } from '../lib/router';
import { type ResidentSeen, enrol, findResidents, raiseTier } from './api';
import type { ScreenProps } from './app';
import { LookUp, type Looked } from './look';
import { ActDialog, Id, Money, ReasonField, Refused, State, When, isReason } from './parts';
import { t } from './text';
import { useMay } from './who';

const TIERS = [1, 2, 3];

export default function Residents({ query }: ScreenProps) {
  const staff = useMay('staff');
  const [found, setFound] = useState<Looked<ResidentSeen>>();
  const [enrolling, setEnrolling] = useState(false);
  const again = async () => {
    if (found) setFound({ ...found, items: (await findResidents(found.q, found.reason)).items });
  };
  return (
    <Page
      title={t('nav.residents')}
      wide
      actions={
        staff && (
          <Button icon="plus" onClick={() => setEnrolling(true)}>
            {t('enrol')}
          </Button>
        )
      }
    >
      <div class="o-two">
        <LookUp q={query.get('q') ?? ''} label={t('residents.q')} hint={t('residents.q.hint')} find={findResidents} onFound={setFound} />
        <div aria-live="polite">
          {!found ? (
            <Empty icon="people" title={t('residents.start')} note={t('residents.start.note')} />
          ) : found.items.length === 0 ? (
            <Empty icon="search" title={t('residents.none')} note={t('residents.none.note')} />
          ) : (
            found.items.map((one) => <Seen key={one.id} one={one} onChange={again} />)
          )}
        </div>
      </div>
      {enrolling && <Enrol onClose={() => setEnrolling(false)} />}
    </Page>
  );
}

function Seen({ one, onChange }: { one: ResidentSeen; onChange: () => Promise<void> }) {
  const staff = useMay('staff');
  const admin = useMay('admin');
  const [raising, setRaising] = useState(false);
  const higher = TIERS.filter((n) => n > (one.tier ?? 0));
  const [tier, setTier] = useState(String(higher[0] ?? 3));
  const window = one.allowance_window === 'lifetime' ? t('allowance.lifetime') : one.allowance_window;
  return (
    <div class="o-seen">
      <Card title={one.name}>
        <Stack>
          <Descriptions
            items={[
              { label: t('phone'), value: <span class="k-num">{one.phone}</span> },
              ...(staff
                ? [
                    { label: t('tier'), value: one.tier ? <Badge tone="brand">{t(`tier.${one.tier}` as 'tier.1')}</Badge> : t('none') },
                    { label: t('available'), value: <Money of={one.available} /> },
                    { label: t('held'), value: <Money of={one.held} /> },
                    { label: t('allowance'), value: one.allowance_left ? <><Money of={one.allowance_left} /> {window && <span class="o-note">{window}</span>}</> : t('allowance.none') },
                  ]
                : []),
              {
                label: t('pin'),
                value: <State tone={one.pin_locked ? 'bad' : one.has_pin ? 'ok' : 'neutral'}>{t(one.pin_locked ? 'pin.locked' : one.has_pin ? 'pin.set' : 'pin.unset')}</State>,
              },
              { label: t('since'), value: <When at={one.created_at} /> },
              { label: t('id'), value: <Id id={one.id} /> },
            ]}
          />
          <Row>
            {staff && (
              <Button icon="transfer" href={href('/money', { kind: 'deposit', subject: one.id })}>
                {t('money.for')}
              </Button>
            )}
            {admin && higher.length > 0 && (
              <Button icon="staff" onClick={() => setRaising(true)}>
                {t('tier.raise')}
              </Button>
            )}
          </Row>
        </Stack>
      </Card>
      <ActDialog
        open={raising}
        onClose={() => setRaising(false)}
        title={t('tier.raise.title', { name: one.name })}
        confirm={t('tier.raise')}
        danger
        typed={{ label: t('tier.typed'), text: one.phone.slice(-4) }}
        done={t('tier.raised')}
        act={async (reason) => {
          await raiseTier(one.id, Number(tier), reason);
          await onChange();
        }}
      >
        <Stack>
          <p>{t('tier.what')}</p>
          <SelectField label={t('tier.to')} value={tier} options={higher.map((n) => ({ value: String(n), label: t(`tier.${n}` as 'tier.1') }))} onChange={setTier} />
        </Stack>
      </ActDialog>
    </div>
  );
}

function Enrol({ onClose }: { onClose: () => void }) {
  const [phone, setPhone] = useState('');
  const [name, setName] = useState('');
  const [reason, setReason] = useState('');
  const [tried, setTried] = useState(false);
  const [made, setMade] = useState<string>();
  const doing = useAct(async () => {
    const { id } = await enrol(phone.trim(), name.trim(), reason.trim());
    setMade(id);
    toast(t('enrolled'), 'ok');
  });
  return (
    <Dialog
      open
      onClose={onClose}
      title={t('enrol')}
      actions={
        made ? (
          <Button kind="primary" onClick={onClose}>
            {c('done')}
          </Button>
        ) : (
          <>
            <Button onClick={onClose}>{c('cancel')}</Button>
            <Button kind="primary" type="submit" form="enrol" busy={doing.busy} disabled={phone.trim() === '' || name.trim() === ''}>
              {t('enrol')}
            </Button>
          </>
        )
      }
    >
      <form
        id="enrol"
        noValidate
        onSubmit={(e) => {
          e.preventDefault();
          setTried(true);
          if (!made && isReason(reason)) doing.run();
        }}
      >
        <Stack>
          {made ? (
            <p>
              {t('enrolled.id')} <Id id={made} />
            </p>
          ) : (
            <>
              <p>{t('enrol.what')}</p>
              <TextField label={t('phone')} type="tel" inputMode="tel" required value={phone} onInput={setPhone} />
              <TextField label={t('person')} required maxLength={40} value={name} onInput={setName} />
              <ReasonField value={reason} onInput={setReason} error={tried && !isReason(reason)} />
            </>
          )}
          <Refused failure={doing.failure} />
        </Stack>
      </form>
    </Dialog>
  );
}
