/** Sending money to another resident: whom (checked by the masked name), how much, the PIN. */
import { useEffect, useState } from 'preact/hooks';
import { c, failureText } from '../../common/text';
import { Amount, AmountInput, Banner, Button, Card, Cell, Keypad, List, Stack, TextField, typeAmount } from '../../kit';
import { dateTime, money, parseAmount, places } from '../../lib/format';
import { useAct, useOnline } from '../../lib/load';
import { href } from '../../lib/router';
import type { ScreenProps } from '../app';
import * as api from '../api';
import { useKept } from '../kept';
import { PinFor, Result, Sending, sign, usePayment } from '../paying';
import { SubScreen, here } from '../screen';
import { useMe } from '../state';
import { PinSheet, Refused, padLabels } from '../states';
import { t } from '../text';

interface Payee {
  name: string;
  phone?: string;
  code?: string;
  amount?: { minor: number; currency: string };
}

export default function Transfer({ query }: ScreenProps) {
  const code = query.get('code') ?? undefined;
  const [phone, setPhone] = useState('');
  const [to, setTo] = useState<Payee>();
  const check = useAct(async (who: { phone?: string; code?: string }) => {
    const { name, amount } = await api.payee(who);
    setTo({ ...who, name, amount: amount ?? undefined });
  });
  useEffect(() => {
    if (code) check.run({ code });
  }, [code]);
  if (to) return <Sum key={to.name} to={to} back={code ? '#/scan' : () => setTo(undefined)} />;
  return (
    <SubScreen title={t('transfer.title')} back="#/">
      <p class="lead">{t('transfer.lead')}</p>
      <form
        onSubmit={(e) => {
          e.preventDefault();
          const bare = phone.replace(/[\s-]/g, '');
          if (bare) check.run({ phone: bare });
        }}
      >
        <Stack>
          <TextField
            label={t('transfer.phone')}
            type="tel"
            inputMode="tel"
            value={phone}
            focus={!code}
            onInput={(value) => {
              setPhone(value);
              check.clear();
            }}
          />
          <Refused failure={check.failure} />
          <Button kind="primary" type="submit" block busy={check.busy} disabled={phone.trim() === ''}>
            {t('next')}
          </Button>
          <Button kind="quiet" block icon="scan" href="#/scan">
            {t('transfer.scan')}
          </Button>
        </Stack>
      </form>
    </SubScreen>
  );
}

function Sum({ to, back }: { to: Payee; back: string | (() => void) }) {
  const me = useMe();
  const wallet = useKept('wallet', api.wallet);
  const online = useOnline();
  const limit = me.data?.no_pin_limit;
  const currency = to.amount?.currency ?? limit?.currency ?? 'CNY';
  const [typed, setTyped] = useState('');
  const [pin, setPin] = useState(false);
  const { outcome, pay, stop, reset } = usePayment();
  const minor = to.amount?.minor ?? parseAmount(typed, currency);
  const amount = minor ? { minor, currency } : undefined;
  const needsPin = amount !== undefined && (limit === undefined || amount.minor > limit.minor);
  const noPin = needsPin && me.data && !me.data.resident.has_pin;
  const submit = (digits?: string) => {
    if (!amount || noPin) return;
    if (needsPin && digits === undefined) return setPin(true);
    setPin(false);
    pay({ request: { route: 'transfer', phone: to.phone, code: to.code, amount }, title: to.name, amount }, digits);
  };
  if (outcome.at === 'sending') return <Sending turn={outcome.turn} title={to.name} amount={amount} stop={stop} />;
  if (outcome.at !== 'ready') {
    return (
      <Result
        outcome={outcome}
        title={t('transfer.to', { name: to.name })}
        heading={t('transfer.paid')}
        note={t('transfer.done')}
        rows={[
          ...(amount && (outcome.at === 'unknown' || outcome.at === 'refused') ? ([[t('pay.amount'), money(amount)]] as [string, string][]) : []),
          ...(to.phone ? ([[t('transfer.phone'), to.phone]] as [string, string][]) : []),
          ...(outcome.at === 'paid' ? ([[t('pay.time'), dateTime(Date.now())]] as [string, string][]) : []),
        ]}
        actions={
          outcome.at === 'refused' ? (
            <Button kind="primary" block onClick={reset}>
              {t('pay.back')}
            </Button>
          ) : undefined
        }
      />
    );
  }
  const pinFailure = outcome.failure?.code.startsWith('pin_') ? outcome.failure : undefined;
  const short = wallet.data && wallet.at === undefined && amount && wallet.data.available.minor < amount.minor;
  return (
    <SubScreen
      title={t('transfer.title')}
      back={back}
      footer={
        <Button kind="primary" block disabled={!amount || !online || Boolean(noPin)} onClick={() => submit()}>
          {amount ? t('transfer.now', { amount: money(amount) }) : t('transfer.title')}
        </Button>
      }
    >
      <Card>
        <p class="muted">{t('transfer.check')}</p>
        <p class="payee-name">{to.name}</p>
        {to.phone && <p class="muted k-num">{to.phone}</p>}
      </Card>
      {to.amount ? (
        <div class="payee">
          <Amount text={money(to.amount)} size="xl" />
        </div>
      ) : (
        <AmountInput
          label={t('transfer.amount')}
          currency={sign(currency)}
          decimals={places(currency)}
          value={typed}
          onInput={setTyped}
          onEnter={() => submit()}
          error={typed !== '' && minor === undefined ? c('error.amount_unacceptable') : undefined}
        />
      )}
      <List label={t('pay.source')}>
        <Cell
          icon="pay"
          title={t('pay.wallet')}
          note={t(short ? 'pay.short' : 'pay.source')}
          tone={short ? 'bad' : undefined}
          value={wallet.data ? money(wallet.data.available) : ''}
        />
      </List>
      {!online && <Banner tone="warn">{t('pay.offline')}</Banner>}
      {noPin && limit && (
        <Banner
          tone="warn"
          action={
            <Button small href={href('/me/pin', { next: here() })}>
              {t('pin.set')}
            </Button>
          }
        >
          {t('pay.pin.first', { amount: money(limit) })}
        </Banner>
      )}
      {!pinFailure && <Refused failure={outcome.failure} />}
      {!to.amount && <Keypad labels={padLabels()} decimal={places(currency) > 0} onKey={(k) => setTyped(typeAmount(typed, k, places(currency)))} />}
      <PinSheet
        open={pin || pinFailure !== undefined}
        title={amount && <PinFor name={to.name} amount={amount} />}
        error={pinFailure && pinFailure.code !== 'pin_required' ? failureText(pinFailure) : undefined}
        onPin={submit}
        onClose={() => {
          setPin(false);
          reset();
        }}
      />
    </SubScreen>
  );
}
