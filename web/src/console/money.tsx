/** Booking what moved at the bank. The bank's reference moves money once, so a booking whose answer was lost is sent again. */
import { useState } from 'preact/hooks';
import { Amount, Banner, Button, Card, Descriptions, Page, SelectField, Segmented, Stack, TextField } from '../kit';
import { cityCurrency, fourEyesLimit, money, parseAmount } from '../lib/format';
import { useAct } from '../lib/load';
import { href } from '../lib/router';
import { type Booked, type Movement, type Verdict, book, endBillPayment } from './api';
import type { ScreenProps } from './app';
import { ActDialog, Id, Refused, When, inCity } from './parts';
import { t } from './text';
import { WAITING_CHANGED, useMay } from './who';

const KINDS: Movement[] = ['deposit', 'withdrawal', 'payout'];
const REFERENCE = /^[\x21-\x7e]{1,64}$/;

export default function MoneyScreen({ query }: ScreenProps) {
  const asked = query.get('kind') as Movement | null;
  const admin = useMay('admin');
  const [turn, setTurn] = useState(0);
  return (
    <Page title={t('nav.money')} wide>
      <div class="o-two">
        <Book key={turn} kind={asked && KINDS.includes(asked) ? asked : 'deposit'} subject={query.get('subject') ?? ''} onAnew={() => setTurn(turn + 1)} />
        {admin && <EndBill payment={query.get('end') ?? ''} />}
      </div>
    </Page>
  );
}

function Book({ kind: first, subject: given, onAnew }: { kind: Movement; subject: string; onAnew: () => void }) {
  const [kind, setKind] = useState(first);
  const [subject, setSubject] = useState(given);
  const [text, setText] = useState('');
  const [reference, setReference] = useState('');
  const [tried, setTried] = useState(false);
  const [asks, setAsks] = useState(false);
  const [booked, setBooked] = useState<Booked>();
  const minor = parseAmount(text, cityCurrency());
  const payout = kind === 'payout';
  const wrong = {
    subject: !(payout ? /^mch_[0-9a-z]{26}$/ : /^res_[0-9a-z]{26}$/).test(subject.trim()),
    amount: minor === undefined || minor === 0,
    reference: !REFERENCE.test(reference.trim()),
  };
  if (booked) return <Outcome of={booked} kind={kind} onAnew={onAnew} />;
  return (
    <Card title={t('money.book')}>
      <form
        noValidate
        onSubmit={(e) => {
          e.preventDefault();
          setTried(true);
          if (!Object.values(wrong).some(Boolean)) setAsks(true);
        }}
      >
        <Stack>
          <Segmented label={t('money.kind')} value={kind} options={KINDS.map((value) => ({ value, label: t(`kind.${value}`) }))} onChange={(value) => setKind(value as Movement)} />
          <p class="o-note">{t(`kind.${kind}.note`)}</p>
          <TextField
            label={t(payout ? 'money.shop' : 'money.resident')}
            hint={
              <a class="k-link" href={href(payout ? '/shops' : '/residents')}>
                {t(payout ? 'money.shop.find' : 'money.resident.find')}
              </a>
            }
            error={tried && wrong.subject ? t(payout ? 'money.shop.wrong' : 'money.resident.wrong') : undefined}
            required
            mono
            value={subject}
            onInput={setSubject}
          />
          <TextField
            label={t('money.amount')}
            hint={minor ? money(inCity(minor)) : t('money.amount.hint')}
            error={tried && wrong.amount ? t('money.amount.wrong') : undefined}
            required
            mono
            inputMode="decimal"
            value={text}
            onInput={setText}
          />
          <TextField
            label={t('money.reference')}
            hint={t('money.reference.hint')}
            error={tried && wrong.reference ? t('money.reference.wrong') : undefined}
            required
            mono
            maxLength={64}
            value={reference}
            onInput={setReference}
          />
          <p class="o-note">{t('money.eyes', { limit: money(fourEyesLimit() ?? inCity(0)) })}</p>
          <Button kind="primary" type="submit">
            {t('money.check')}
          </Button>
        </Stack>
      </form>
      <ActDialog
        open={asks}
        onClose={() => setAsks(false)}
        title={t(`kind.${kind}`)}
        confirm={t('money.do')}
        act={async (reason) => {
          setBooked(await book({ kind, subject: subject.trim(), amount: inCity(minor ?? 0), reference: reference.trim(), reason }));
          dispatchEvent(new Event(WAITING_CHANGED));
        }}
      >
        <Stack>
          <Amount text={money(inCity(minor ?? 0))} size="l" />
          <p>{t(`kind.${kind}.what`)}</p>
          <Descriptions
            items={[
              { label: t(payout ? 'money.shop' : 'money.resident'), value: <Id id={subject.trim()} /> },
              { label: t('money.reference'), value: <Id id={reference.trim()} /> },
            ]}
          />
          <p class="o-note">{t('money.safe')}</p>
        </Stack>
      </ActDialog>
    </Card>
  );
}

function Outcome({ of, kind, onAnew }: { of: Booked; kind: Movement; onAnew: () => void }) {
  const anew = (
    <Button kind="primary" onClick={onAnew}>
      {t('money.anew')}
    </Button>
  );
  if ('approval' in of) {
    const { approval } = of;
    return (
      <Card title={t('money.waits')}>
        <Stack>
          <Amount text={money(approval.amount)} size="l" />
          <Banner tone="warn" role="status" icon="eye">
            {t('money.waits.note')}
          </Banner>
          <Descriptions
            items={[
              { label: t('subject'), value: approval.subject_name },
              { label: t('money.reference'), value: <Id id={approval.reference} /> },
              { label: t('approval'), value: <Id id={approval.id} /> },
            ]}
          />
          <Button href={href('/approvals')}>{t('nav.approvals')}</Button>
          {anew}
        </Stack>
      </Card>
    );
  }
  const { moved } = of;
  return (
    <Card title={t('money.booked')}>
      <Stack>
        <Amount text={money(moved.amount)} size="l" />
        <Banner tone={moved.repeated ? 'info' : 'ok'} role="status">
          {t(moved.repeated ? 'money.repeated' : `kind.${kind}.done`)}
        </Banner>
        <Descriptions
          items={[
            { label: t('payment'), value: <Id id={moved.id} /> },
            { label: t('time'), value: <When at={moved.at} /> },
          ]}
        />
        {anew}
      </Stack>
    </Card>
  );
}

function EndBill({ payment: given }: { payment: string }) {
  const [payment, setPayment] = useState(given);
  const [outcome, setOutcome] = useState<Verdict>('paid');
  const [reference, setReference] = useState('');
  const [tried, setTried] = useState(false);
  const [asks, setAsks] = useState(false);
  const [ended, setEnded] = useState<string>();
  const wrong = { payment: !/^pay_[0-9a-z]{26}$/.test(payment.trim()), reference: !REFERENCE.test(reference.trim()) };
  const open = useAct(async () => {
    setTried(true);
    setEnded(undefined);
    if (!wrong.payment && !wrong.reference) setAsks(true);
  });
  return (
    <div>
      <Card title={t('end.title')}>
        <form
          noValidate
          onSubmit={(e) => {
            e.preventDefault();
            open.run();
          }}
        >
          <Stack>
            <p class="o-note">{t('end.note')}</p>
            <TextField label={t('end.payment')} hint={t('end.payment.hint')} error={tried && wrong.payment ? t('end.payment.wrong') : undefined} required mono value={payment} onInput={setPayment} />
            <SelectField
              label={t('end.outcome')}
              value={outcome}
              options={(['paid', 'not_paid'] as const).map((value) => ({ value, label: t(`end.${value}`) }))}
              onChange={(value) => setOutcome(value as Verdict)}
            />
            <TextField label={t('end.reference')} hint={t('end.reference.hint')} error={tried && wrong.reference ? t('money.reference.wrong') : undefined} required mono maxLength={64} value={reference} onInput={setReference} />
            {ended && (
              <Banner tone="ok" role="status">
                {ended}
              </Banner>
            )}
            <Refused failure={open.failure} />
            <Button type="submit">
              {t('end.do')}
            </Button>
          </Stack>
        </form>
      </Card>
      <ActDialog
        open={asks}
        onClose={() => setAsks(false)}
        title={t('end.title')}
        confirm={t('end.do')}
        danger
        typed={{ label: t('end.typed'), text: payment.trim().slice(-6) }}
        act={async (reason) => {
          const done = await endBillPayment(payment.trim(), outcome, reference.trim(), reason);
          setEnded(t(done.outcome === 'paid' ? 'end.done.paid' : 'end.done.not_paid', { sum: money(done.amount) }));
        }}
      >
        <p>{t(outcome === 'paid' ? 'end.what.paid' : 'end.what.not_paid')}</p>
      </ActDialog>
    </div>
  );
}
