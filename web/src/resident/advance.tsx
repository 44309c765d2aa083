/** Money held for an account: how much, putting more in, paying a bill from it, taking it back. */
import { useState } from 'preact/hooks';
import { c, failureText } from '../common/text';
import { Amount, AmountInput, Banner, Button, Card, Cell, Dialog, List, Section, Sheet, Skeleton, Stack, toast } from '../kit';
import { cityCurrency, dateTime, money, parseAmount, places } from '../lib/format';
import { useAct, useOnline } from '../lib/load';
import { href } from '../lib/router';
import * as api from './api';
import { useChoice, useKept } from './kept';
import { notePending } from './open';
import { PinFor, sign, usePayment } from './paying';
import { here } from './screen';
import { named } from './services';
import { useMe } from './state';
import { PinSheet, Refused } from './states';
import { t } from './text';

export function Advance({ biller, account, bills, changed }: { biller: api.Biller; account: string; bills: api.Bill[]; changed: () => void }) {
  const held = useKept(`held.${biller.id}.${account}`, (signal) => api.held(biller.id, account, signal));
  // Whether a biller takes money in advance is known when it has once refused it.
  const [refuses, setRefuses] = useChoice(`no-advance.${biller.id}`, false);
  const [putting, setPutting] = useState(false);
  const [back, setBack] = useState<api.HeldMovement>();
  const online = useOnline();
  const again = () => {
    held.reload();
    changed();
  };
  const takeBack = useAct(async (one: api.HeldMovement) => {
    const moved = await api.takeBack(one.id);
    setBack(undefined);
    toast(t('advance.back.done', { amount: money(moved.amount) }), 'ok');
    again();
  });
  const payFrom = useAct(async (bill: api.Bill) => {
    const paid = (await api.payFromHeld(bill.id)) as api.BillPayment;
    if (paid.state === 'pending') await notePending({ bill: bill.id, title: named(biller.name), minor: paid.amount.minor, currency: paid.amount.currency });
    toast(t(paid.state === 'pending' ? 'result.pending' : 'result.paid'), paid.state === 'pending' ? 'warn' : 'ok');
    again();
  });
  const data = held.data;
  const takes = biller.connected && !biller.closed && !refuses;
  if (!data || (data.items.length === 0 && !takes)) return null;
  const covered = [...bills]
    .sort((a, b) => a.due.localeCompare(b.due))
    .find((bill) => bill.state === 'open' && bill.quote && bill.quote.total.minor <= data.available.minor);
  const gone = new Set(data.items.flatMap((one) => one.returned ?? []));
  return (
    <Section title={t('advance.title')}>
      <Card>
        <Stack>
          <p class="held">
            {t('advance.available')} <Amount text={money(data.available)} size="l" />
          </p>
          <p class="muted">{t('advance.note')}</p>
          {covered?.quote && (
            <Button block kind="primary" busy={payFrom.busy} disabled={!online} onClick={() => payFrom.run(covered)}>
              {t('advance.pay', { amount: money(covered.quote.total) })}
            </Button>
          )}
          {takes && (
            <Button block disabled={!online} onClick={() => setPutting(true)}>
              {t('advance.put')}
            </Button>
          )}
          <Refused failure={payFrom.failure} />
        </Stack>
      </Card>
      {data.items.length > 0 && (
        <List label={t('advance.moves')}>
          {data.items.map((one) => (
            <Cell
              key={one.id}
              title={t(`advance.${one.kind}` as 'advance.in')}
              note={one.reason && one.kind === 'in' ? `${t(`advance.reason.${one.reason}`)} · ${dateTime(one.at)}` : dateTime(one.at)}
              value={money({ ...one.amount, minor: one.kind === 'in' ? one.amount.minor : -one.amount.minor }, 'always')}
              trailing={
                one.kind === 'in' && one.mine && !gone.has(one.id) && data.available.minor > 0 ? (
                  <Button small kind="quiet" disabled={!online} onClick={() => setBack(one)}>
                    {t('advance.back')}
                  </Button>
                ) : undefined
              }
            />
          ))}
        </List>
      )}
      <Dialog
        open={back !== undefined}
        title={t('advance.back.title')}
        onClose={() => setBack(undefined)}
        actions={
          <>
            <Button onClick={() => setBack(undefined)}>{c('cancel')}</Button>
            <Button kind="primary" busy={takeBack.busy} onClick={() => back && takeBack.run(back)}>
              {t('advance.back')}
            </Button>
          </>
        }
      >
        <p>{t('advance.back.note')}</p>
        <Refused failure={takeBack.failure} />
      </Dialog>
      <Sheet open={putting} onClose={() => setPutting(false)} title={t('advance.put')} closeLabel={c('close')}>
        {putting && (
          <PutIn
            biller={biller}
            account={account}
            refused={() => setRefuses(true)}
            done={() => {
              setPutting(false);
              again();
            }}
          />
        )}
      </Sheet>
    </Section>
  );
}

function PutIn({ biller, account, refused, done }: { biller: api.Biller; account: string; refused: () => void; done: () => void }) {
  const me = useMe();
  const payment = usePayment();
  const [text, setText] = useState('');
  const [pin, setPin] = useState(false);
  const currency = cityCurrency();
  const minor = parseAmount(text, currency);
  const { outcome } = payment;
  const name = `${named(biller.name)} ${account}`;
  const limit = me.data?.no_pin_limit.minor;
  const needsPin = limit === undefined || (minor ?? 0) > limit;
  const noPin = needsPin && me.data !== undefined && !me.data.resident.has_pin;
  const pay = (digits?: string) => {
    if (!minor) return;
    setPin(false);
    const amount = { minor, currency };
    payment.pay({ request: { route: 'ahead', biller: biller.id, account, amount }, title: name, amount }, digits);
  };
  if (outcome.at === 'sending') {
    if (outcome.turn === 0) return <Skeleton shape="card" label={t('pay.sending')} />;
    return (
      <Banner tone="warn" role="status" title={c('asking.title')} action={<Button small onClick={payment.stop}>{t('pay.stop')}</Button>}>
        {c('asking.note', { n: outcome.turn })}
      </Banner>
    );
  }
  if (outcome.at !== 'ready') {
    const failure = outcome.at === 'refused' ? outcome.failure : undefined;
    const tone = failure ? 'bad' : outcome.at === 'paid' ? 'ok' : 'warn';
    return (
      <Stack>
        <Banner tone={tone} role={failure ? 'alert' : 'status'} title={failure ? t('result.refused') : outcome.at === 'paid' ? t('advance.put.done') : c('unknown.title')}>
          {failure ? failureText(failure) : outcome.at === 'paid' ? money(outcome.amount) : c('unknown.note')}
        </Banner>
        <Button
          block
          kind="primary"
          onClick={() => {
            if (failure?.code === 'advance_not_taken') refused();
            done();
          }}
        >
          {c('done')}
        </Button>
      </Stack>
    );
  }
  const failure = outcome.failure;
  return (
    <Stack>
      <AmountInput label={t('advance.amount')} currency={sign(currency)} decimals={places(currency)} ownKeys value={text} onInput={setText} hint={t('advance.put.note')} />
      {noPin && me.data && (
        <Banner tone="warn" action={<Button small href={href('/me/pin', { next: here() })}>{t('pin.set')}</Button>}>
          {t('pay.pin.first', { amount: money(me.data.no_pin_limit) })}
        </Banner>
      )}
      {failure && !failure.code.startsWith('pin_') && <Refused failure={failure} />}
      <Button block kind="primary" disabled={!minor || noPin} onClick={() => (needsPin ? setPin(true) : pay())}>
        {t('advance.put.now', { amount: money({ minor: minor ?? 0, currency }) })}
      </Button>
      <PinSheet
        open={pin || failure?.code.startsWith('pin_') === true}
        title={<PinFor name={name} amount={{ minor: minor ?? 0, currency }} />}
        error={failure && failure.code !== 'pin_required' ? failureText(failure) : undefined}
        onPin={pay}
        onClose={() => {
          setPin(false);
          if (!payment.open) payment.reset();
        }}
      />
    </Stack>
  );
}
