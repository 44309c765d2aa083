/** Makes a mandate: for which bills, how much at most, when, until when; then the PIN. */
import { useRef, useState } from 'preact/hooks';
import { failureText } from '../../common/text';
import { Banner, Button, Checkbox, DateField, Section, SelectField, Stack, TextField, toast } from '../../kit';
import { freshKey } from '../../lib/call';
import { cityCurrency, money, parseAmount, today } from '../../lib/format';
import { useAct, useOnline } from '../../lib/load';
import { href, replace } from '../../lib/router';
import type { ScreenProps } from '../app';
import * as api from '../api';
import { useKept } from '../kept';
import { when } from '../mandates';
import { sign } from '../paying';
import { SubScreen, here } from '../screen';
import { CATEGORIES, named } from '../services';
import { useBillers, useMe } from '../state';
import { PinSheet, Refused } from '../states';
import { t } from '../text';

const DAYS_BEFORE = ['once', '0', '1', '3', '5', '7', '10', '15'];
const NOTICE = ['0', '1', '2', '3', '5', '7', '14'];

export default function AutoPayNewScreen({ query }: ScreenProps) {
  const me = useMe();
  const online = useOnline();
  const billers = useBillers();
  const saved = useKept('accounts', api.savedAccounts);
  const family = useKept('family', api.family);
  const currency = cityCurrency();
  const [given, account] = [query.get('biller') ?? '', query.get('account') ?? ''];
  const [what, setWhat] = useState(account ? `one:${given}:${account}` : query.get('family') ? `family:${query.get('family')}` : 'all');
  const [kinds, setKinds] = useState<api.Category[]>([]);
  const [bill, setBill] = useState('');
  const [monthly, setMonthly] = useState('');
  const [before, setBefore] = useState('3');
  const [notice, setNotice] = useState('2');
  const [until, setUntil] = useState('');
  const [asked, setAsked] = useState(false);
  const [pin, setPin] = useState(false);
  const key = useRef<{ of: string; key: string }>(undefined);
  const nameOf = (id: string) => {
    const found = billers.data?.find((one) => one.id === id || one.pack === id);
    return found ? named(found.name) : id;
  };
  const packOf = (id: string) => billers.data?.find((one) => one.id === id)?.pack ?? id;
  const accounts = new Map<string, string>();
  if (account) accounts.set(`one:${given}:${account}`, `${nameOf(given)} ${account}`);
  for (const one of saved.data ?? []) {
    if (one.account_no === account && packOf(one.biller) === packOf(given)) continue;
    accounts.set(`one:${one.biller}:${one.account_no}`, `${one.label || nameOf(one.biller)} ${one.account_no}`);
  }
  const helped = (family.data ?? []).filter((one) => one.role === 'helper' && one.state === 'active' && one.granted === 'pay');
  const capBill = parseAmount(bill, currency);
  const capMonth = parseAmount(monthly, currency);
  const wrongBill = asked && !capBill;
  const wrongMonth = asked && (!capMonth || capMonth < (capBill ?? 0));
  const wish = (): api.MandateWish => {
    const [kind, a = '', b = ''] = what.split(':');
    return {
      ...(kind === 'one' ? { account: { biller: a, account_no: b } } : { categories: kind === 'kinds' ? kinds : [] }),
      family: kind === 'family' ? a : undefined,
      cap_bill: { minor: capBill ?? 0, currency },
      cap_month: { minor: capMonth ?? 0, currency },
      days_before_due: before === 'once' ? undefined : Number(before),
      notice_days: Number(notice),
      valid_until: until || undefined,
    };
  };
  const make = useAct(async (digits: string) => {
    const body = wish();
    const of = JSON.stringify(body);
    // The same terms asked for again are the same mandate; a lost answer makes no second one.
    if (key.current?.of !== of) key.current = { of, key: freshKey() };
    const made = await api.makeMandate({ ...body, pin: digits }, key.current.key);
    setPin(false);
    toast(t('autopay.made'), 'ok');
    replace(`/autopay/${made.id}`);
  });
  const pinFailure = make.failure?.code.startsWith('pin_') ? make.failure : undefined;
  const noPin = me.data !== undefined && !me.data.resident.has_pin;
  const amountField = (label: string, value: string, set: (text: string) => void, error: string | undefined, hint: string) => (
    <TextField label={label} inputMode="decimal" mono before={<span aria-hidden="true">{sign(currency)}</span>} value={value} onInput={set} error={error} hint={hint} />
  );
  return (
    <SubScreen title={t('autopay.new')} back={account ? href(`/bills/${given}/${encodeURIComponent(account)}`) : '#/autopay'}>
      {noPin && (
        <Banner tone="warn" action={<Button small href={href('/me/pin', { next: here() })}>{t('pin.set')}</Button>}>
          {t('autopay.pin.first')}
        </Banner>
      )}
      <form
        onSubmit={(e) => {
          e.preventDefault();
          setAsked(true);
          if (capBill && capMonth && capMonth >= capBill && !(what === 'kinds' && kinds.length === 0)) {
            make.clear();
            setPin(true);
          }
        }}
      >
        <Stack>
          <SelectField
            label={t('autopay.what')}
            value={what}
            onChange={setWhat}
            options={[
              { value: 'all', label: t('autopay.all') },
              { value: 'kinds', label: t('autopay.some') },
              ...[...accounts].map(([value, label]) => ({ value, label })),
              ...helped.map((one) => ({ value: `family:${one.id}`, label: t('autopay.of', { name: one.label || one.other_name }) })),
            ]}
          />
          {what === 'kinds' && (
            <Section title={t('history.category')}>
              <div class="kinds">
                {CATEGORIES.map((kind) => (
                  <Checkbox
                    key={kind}
                    label={t(`category.${kind}`)}
                    checked={kinds.includes(kind)}
                    onChange={(on) => setKinds(on ? [...kinds, kind] : kinds.filter((one) => one !== kind))}
                  />
                ))}
              </div>
              {asked && kinds.length === 0 && (
                <Banner tone="bad" role="alert">
                  {t('autopay.kinds.none')}
                </Banner>
              )}
            </Section>
          )}
          {amountField(t('autopay.cap.bill'), bill, setBill, wrongBill ? t('autopay.cap.missing') : undefined, t('autopay.cap.bill.hint'))}
          {amountField(t('autopay.cap.month'), monthly, setMonthly, wrongMonth ? t('autopay.cap.low') : undefined, t('autopay.cap.month.hint'))}
          <SelectField label={t('autopay.when')} value={before} onChange={setBefore} options={DAYS_BEFORE.map((value) => ({ value, label: when(value === 'once' ? null : Number(value)) }))} />
          <SelectField
            label={t('autopay.notice')}
            hint={t('autopay.notice.hint')}
            value={notice}
            onChange={setNotice}
            options={NOTICE.map((value) => ({ value, label: t(value === '0' ? 'autopay.notice.none' : 'autopay.notice.days', { n: Number(value) }) }))}
          />
          <DateField label={t('autopay.until')} hint={t('autopay.until.hint')} value={until} min={today()} onChange={setUntil} />
          <p class="muted">{t('autopay.rule')}</p>
          {!pinFailure && <Refused failure={make.failure} />}
          <Button kind="primary" block type="submit" disabled={!online || noPin} busy={make.busy}>
            {t('autopay.make')}
          </Button>
        </Stack>
      </form>
      <PinSheet
        open={pin && (make.failure === undefined || pinFailure !== undefined)}
        heading={t('autopay.new')}
        title={<p>{t('autopay.caps', { bill: money({ minor: capBill ?? 0, currency }), month: money({ minor: capMonth ?? 0, currency }) })}</p>}
        busy={make.busy}
        error={pinFailure && failureText(pinFailure)}
        onPin={(digits) => make.run(digits)}
        onClose={() => setPin(false)}
      />
    </SubScreen>
  );
}
