/** The bills of one account: what is open, what it is made of, paying one or several, remembering the account. */
import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { c, failureText } from '../../common/text';
import { Amount, AmountInput, Badge, Banner, Button, Card, Cell, Checkbox, Empty, Icon, List, Page, Section, Sheet, Stack, type StepItem, Steps, Switch, TextField, toast } from '../../kit';
import { call } from '../../lib/call';
import { serverNow } from '../../lib/clock';
import { type Amount as Money, dateTime, day, decimal, money, month, parseAmount, places, today } from '../../lib/format';
import { asFailure, useAct, useOnline } from '../../lib/load';
import { href } from '../../lib/router';
import type { ScreenProps } from '../app';
import * as api from '../api';
import { Advance } from '../advance';
import { FeeLines } from '../fee';
import { countUse, useKept } from '../kept';
import { notePending } from '../open';
import { Facts, type Outcome, run, sign } from '../paying';
import { SubScreen, here } from '../screen';
import { named } from '../services';
import { useMe } from '../state';
import { Loaded, PinSheet, Refused } from '../states';
import { t } from '../text';
import { SupplyBanner } from '../supply';
import { PayAccount } from '../whole';
import { Reach, useBiller } from './biller';

/** A bill with what is to be paid of it. */
interface Chosen {
  bill: api.Bill;
  quote: api.Quote;
  amount: Money;
}

export default function AccountScreen({ params }: ScreenProps) {
  const id = params.biller ?? '';
  const account = params.account ?? '';
  const biller = useBiller(id);
  const bills = useKept(`bills.${id}.${account}`, (signal) => api.billsOf(id, account, signal));
  const [paying, setPaying] = useState<Chosen[]>();
  const [whole, setWhole] = useState<Money>();
  // A number that is refused is no failure of the page: it is typed again.
  const refused = bills.data === undefined && bills.failure?.code.startsWith('account_') ? bills.failure : undefined;
  const unknown = refused?.code === 'account_unknown';
  const title = biller.data ? named(biller.data.name) : t('bills.title');
  if (whole) {
    return (
      <PayAccount
        biller={biller.data?.id ?? id}
        account={account}
        title={title}
        category={biller.data?.category ?? 'other'}
        shown={whole}
        leave={() => {
          setWhole(undefined);
          bills.reload();
        }}
      />
    );
  }
  if (paying) {
    return (
      <Payments
        chosen={paying}
        title={title}
        category={biller.data?.category ?? 'other'}
        account={account}
        leave={() => {
          setPaying(undefined);
          bills.reload();
        }}
      />
    );
  }
  return (
    <SubScreen title={title} back={`#/bills/${id}`}>
      <p class="lead">
        {biller.data ? named(biller.data.account.label) : t('account.number')} <span class="k-num">{account}</span>
      </p>
      {biller.data && <Reach biller={biller.data} />}
      {!refused && <SupplyBanner biller={id} account={account} />}
      {refused ? (
        <div role="alert">
          <Empty
            icon="search"
            title={failureText(refused)}
            note={unknown ? t('account.unknown.note') : t('account.where')}
            action={
              <Button kind="primary" href={href(`/bills/${id}`)}>
                {t('account.again')}
              </Button>
            }
          />
        </div>
      ) : (
        <Loaded of={bills}>
          {(list) => <Bills list={list} stale={bills.at !== undefined} pay={setPaying} payAll={setWhole} reload={bills.reload} biller={biller.data} />}
        </Loaded>
      )}
      {biller.data && bills.data && <Advance biller={biller.data} account={account} bills={bills.data} changed={bills.reload} />}
      {bills.data && biller.data && (
        <List>
          <Cell icon="refresh" href={href('/autopay/new', { biller: id, account })} title={t('autopay.set')} note={t('autopay.set.note')} />
        </List>
      )}
      {(bills.data || unknown) && <Remember biller={biller.data?.id ?? id} pack={biller.data?.pack ?? id} account={account} />}
    </SubScreen>
  );
}

const overdue = (bill: api.Bill): boolean => bill.state !== 'settled' && bill.due < today();

function Bills({
  list,
  stale,
  pay,
  payAll,
  reload,
  biller,
}: {
  list: api.Bill[];
  stale: boolean;
  pay: (chosen: Chosen[]) => void;
  payAll: (shown: Money) => void;
  reload: () => void;
  biller: api.Biller | undefined;
}) {
  const online = useOnline();
  const rule = biller?.amount_rule;
  const open = list.filter((bill) => bill.state === 'open' && bill.quote).sort((a, b) => a.due.localeCompare(b.due));
  const claimed = list.filter((bill) => bill.state === 'claimed');
  const settled = list.filter((bill) => bill.state === 'settled');
  const [off, setOff] = useState<ReadonlySet<string>>(new Set());
  const [details, setDetails] = useState<api.Bill>();
  const [other, setOther] = useState<string>();
  useEffect(() => {
    if (claimed.length === 0) return;
    const timer = setTimeout(reload, 5_000);
    return () => clearTimeout(timer);
  }, [list]);
  const chosen: Chosen[] = open
    .filter((bill) => !off.has(bill.id))
    .flatMap((bill) => (bill.quote ? [{ bill, quote: bill.quote, amount: bill.quote.total }] : []));
  const currency = chosen[0]?.amount.currency ?? 'CNY';
  const only = chosen.length === 1 ? chosen[0] : undefined;
  const free = only && only.quote.amount_rule !== 'exact' ? only.quote.amount_rule : undefined;
  const typed = free && other !== undefined ? parseAmount(other, currency) : undefined;
  const wrong = free && other !== undefined ? !typed || !accepted(free, only?.quote, typed) : false;
  const sum = typed ?? chosen.reduce((n, one) => n + one.amount.minor, 0);
  const total = { minor: sum, currency };
  const all = chosen.length === open.length && chosen.length > 1;
  // Where the oldest comes first, none is left out before one that is paid.
  const skips = biller?.order === 'oldest_first' && chosen.some((one, i) => one.bill.id !== open[i]?.id);
  const reached = !biller || (biller.connected && !biller.closed);
  const least = only && money({ minor: Math.min(only.quote.least.minor, only.quote.total.minor), currency });
  if (list.length === 0) return <Empty icon="bill" title={t('bill.nothing')} note={t('bill.nothing.note')} />;
  return (
    <>
      {open.length === 0 && claimed.length === 0 && <Empty icon="check" tone="ok" title={t('bill.all.paid')} />}
      {claimed.map((bill) => (
        <Banner key={bill.id} tone="warn" role="status" title={t('bill.claimed')}>
          {t('bill.claimed.note', { bill: bill.period ? month(bill.period) : bill.bill_no })}
        </Banner>
      ))}
      {open.length > 0 && (
        <Section title={t('bill.open')}>
          <List>
            {open.map((bill) => (
              <div key={bill.id} class="bill-row">
                <Checkbox
                  label={
                    <>
                      {bill.period ? month(bill.period) : bill.bill_no} {overdue(bill) && <Badge tone="bad">{t('bill.overdue')}</Badge>}
                    </>
                  }
                  note={
                    bill.partly_paid
                      ? `${t('bill.due', { day: day(bill.due) })} · ${t('part.paid', { amount: money(bill.partly_paid.paid) })}`
                      : t('bill.due', { day: day(bill.due) })
                  }
                  checked={!off.has(bill.id)}
                  onChange={(on) => {
                    const next = new Set(off);
                    if (on) next.delete(bill.id);
                    else next.add(bill.id);
                    setOff(next);
                    setOther(undefined);
                  }}
                />
                <Button kind="quiet" onClick={() => setDetails(bill)}>
                  {bill.quote && money(bill.quote.total)}
                  <span class="k-vh">{t('bill.details')}</span>
                </Button>
              </div>
            ))}
          </List>
          {free && (
            <Card>
              <AmountInput
                label={t('bill.amount')}
                currency={sign(currency)}
                decimals={places(currency)}
                ownKeys
                focus={false}
                value={other ?? decimal(only?.quote.total.minor ?? 0, currency)}
                onInput={setOther}
                hint={biller?.parts && only && least ? t('part.hint', { least, total: money(only.quote.total) }) : t(`bill.rule.${free}`)}
                error={wrong ? t('bill.amount.wrong') : undefined}
              />
            </Card>
          )}
          {skips && (
            <Banner tone="warn" role="status">
              {t('bill.oldest.first')}
            </Banner>
          )}
          {free && biller?.parts && only && only.quote.late_fee.minor > 0 && <p class="muted">{t(`part.order.${only.quote.late_fee_order}`)}</p>}
          {!free && rule && rule !== 'exact' && chosen.length > 1 && <p class="muted">{t('bill.several')}</p>}
        </Section>
      )}
      {open.length > 0 && (
        <div class="total">
          <p>
            {t('bill.total', { n: chosen.length })} <Amount text={money(total)} size="l" />
          </p>
          {stale && <p class="muted">{t('bill.stale')}</p>}
          <Button
            kind="primary"
            block
            disabled={chosen.length === 0 || wrong || stale || !online || sum === 0 || skips || !reached}
            onClick={() => (all ? payAll(total) : pay(typed && only ? [{ ...only, amount: total }] : chosen))}
          >
            {t('bill.pay', { amount: money(total) })}
          </Button>
        </div>
      )}
      {settled.length > 0 && (
        <Section title={t('bill.settled')}>
          <List>
            {settled.slice(0, 6).map((bill) => (
              <Cell
                key={bill.id}
                icon="check"
                title={bill.period ? month(bill.period) : bill.bill_no}
                note={bill.settled_at ? t('bill.settled.at', { day: day(bill.settled_at) }) : undefined}
              />
            ))}
          </List>
        </Section>
      )}
      <Sheet open={details !== undefined} onClose={() => setDetails(undefined)} title={t('bill.details')} closeLabel={c('close')}>
        {details?.quote && <Made bill={details} quote={details.quote} />}
      </Sheet>
    </>
  );
}

function accepted(rule: api.Quote['amount_rule'], quote: api.Quote | undefined, minor: number): boolean {
  const total = quote?.total.minor ?? 0;
  if (minor <= 0 || minor < Math.min(quote?.least.minor ?? 0, total)) return false;
  return rule === 'any' || (rule === 'up_to' ? minor <= total : rule === 'at_least' ? minor >= total : minor === total);
}

/** What a bill is made of. */
function Made({ bill, quote }: { bill: api.Bill; quote: api.Quote }) {
  const days = Math.round((Date.parse(today()) - Date.parse(bill.due.slice(0, 10))) / 86_400_000);
  return (
    <Stack>
      <Facts
        rows={[
          [t('bill.line.amount'), money(quote.amount)],
          [t('bill.line.fee'), money(quote.late_fee)],
          [t('bill.line.total'), <Amount text={money(quote.total)} />],
        ]}
      />
      <p class="muted">
        {quote.late_fee.minor > 0
          ? t('bill.fee.why', { day: day(bill.due), n: Math.max(1, days), version: quote.rule_version.slice(0, 8) })
          : t('bill.fee.none', { day: day(bill.due) })}
      </p>
      <FeeLines quote={quote} />
      {bill.partly_paid && (
        <div>
          <h3 class="small-head">{t('part.title')}</h3>
          <Facts
            rows={[
              ...bill.partly_paid.parts.map((part): [string, ComponentChildren] => [dateTime(part.at), money(part.amount)]),
              [t('part.open'), <Amount text={money(bill.partly_paid.open)} />],
            ]}
          />
        </div>
      )}
      <Facts
        rows={[
          [t('bill.holder'), bill.holder],
          [t('account.number'), <span class="k-num">{bill.account_no}</span>],
          [t('bill.number'), <span class="k-num">{bill.bill_no}</span>],
          ...(bill.period ? ([[t('bill.period'), month(bill.period)]] as [string, string][]) : []),
          [t('bill.payable'), t(`bill.rule.${quote.amount_rule}`)],
        ]}
      />
    </Stack>
  );
}

type Row = Chosen & { became?: Outcome; turn?: number; key?: string };

/** Pays one bill after the other; one PIN for all. */
function Payments({ chosen, title, category, account, leave }: { chosen: Chosen[]; title: string; category: string; account: string; leave: () => void }) {
  const me = useMe();
  const rows = useRef<Row[]>(chosen.map((one) => ({ ...one })));
  const [, draw] = useState(0);
  const [phase, setPhase] = useState<'ask' | 'running' | 'done'>('ask');
  const [pinError, setPinError] = useState<string>();
  const stop = useRef(new AbortController());
  const limit = me.data?.no_pin_limit.minor;
  // Without an answer about the limit the PIN is asked for; the server says when it is not needed.
  const known = limit !== undefined || (!me.busy && me.failure !== undefined);
  const needsPin = known && (limit === undefined || chosen.some((one) => one.amount.minor > limit));
  const noPin = needsPin && me.data !== undefined && !me.data.resident.has_pin;
  useEffect(() => () => stop.current.abort(), []);
  const payOne = async (row: Row, pin: string | undefined): Promise<Outcome & { key?: string }> => {
    let quote = row.quote;
    if (Date.parse(quote.valid_until) - serverNow() < 5_000 && !row.key) {
      quote = await call('post', '/v1/bills/{id}/quote', { path: { id: row.bill.id } });
      // What is paid is what was shown: another price is shown first.
      if (quote.total.minor !== row.quote.total.minor) return { at: 'refused', failure: asFailure(new Error('quote_changed')) };
      row.quote = quote;
    }
    const whole = row.amount.minor === quote.total.minor;
    const request = { route: 'bill' as const, bill: row.bill.id, quote: quote.id, amount: whole ? undefined : row.amount };
    return run({ request, title, amount: row.amount, key: row.key }, pin, stop.current.signal, (turn) => {
      row.turn = turn;
      draw((n) => n + 1);
    });
  };
  const payAll = async (pin?: string) => {
    setPinError(undefined);
    setPhase('running');
    for (const row of rows.current) {
      if (row.became || stop.current.signal.aborted) continue;
      row.turn = 0;
      draw((n) => n + 1);
      const became: Outcome & { key?: string } = await payOne(row, pin).catch((error: unknown) => ({ at: 'refused', failure: asFailure(error) }));
      row.turn = undefined;
      if (became.at === 'ready' && became.failure?.code.startsWith('pin_')) {
        row.key = became.key;
        setPinError(failureText(became.failure));
        setPhase('ask');
        return;
      }
      row.became = became.at === 'ready' && became.failure ? { at: 'refused', failure: became.failure } : became;
      if (became.at === 'pending') {
        await notePending({ bill: row.bill.id, title: `${title} ${account}`, minor: row.amount.minor, currency: row.amount.currency });
      }
      if (became.at === 'paid' || became.at === 'pending') void countUse(category);
      draw((n) => n + 1);
    }
    setPhase('done');
  };
  const begun = useRef(false);
  useEffect(() => {
    if (!known || needsPin || begun.current) return;
    begun.current = true;
    void payAll();
  }, [known, needsPin]);
  const steps: StepItem[] = rows.current.map((row) => ({
    label: `${row.bill.period ? month(row.bill.period) : row.bill.bill_no} ${money(row.amount)}`,
    ...told(row, phase === 'done'),
  }));
  const done = rows.current.filter((row) => row.became?.at === 'paid' || row.became?.at === 'pending');
  const paid = { minor: done.reduce((n, row) => n + row.amount.minor, 0), currency: chosen[0]?.amount.currency ?? 'CNY' };
  const pending = rows.current.some((row) => row.became?.at === 'pending');
  const asking = rows.current.find((row) => (row.turn ?? 0) > 0);
  const unknown = phase === 'done' && rows.current.some((row) => row.became === undefined || row.became.at === 'unknown');
  const heading = phase !== 'done' ? t('bill.paying') : unknown ? c('unknown.title') : done.length === rows.current.length ? t(pending ? 'result.pending' : 'result.paid') : done.length > 0 ? t('bill.some') : t('result.refused');
  return (
    <Page title={heading} key={phase}>
      <div class={`result ${phase !== 'done' ? '' : unknown ? 'result-warn' : done.length === 0 ? 'result-bad' : done.length < rows.current.length || pending ? 'result-warn' : 'result-ok'}`} aria-live="polite">
        {phase === 'done' && (
          <span class="result-mark">
            <Icon name={unknown ? 'warn' : done.length === 0 ? 'error' : done.length < rows.current.length ? 'warn' : pending ? 'history' : 'check'} />
          </span>
        )}
        <p class="result-to">
          {title} <span class="k-num">{account}</span>
        </p>
        {phase === 'done' && done.length > 0 && <Amount text={money(paid)} size="xl" />}
      </div>
      {noPin && limit !== undefined && me.data && (
        <Banner tone="warn" action={<Button small href={href('/me/pin', { next: here() })}>{t('pin.set')}</Button>}>
          {t('pay.pin.first', { amount: money(me.data.no_pin_limit) })}
        </Banner>
      )}
      <Card>
        <div aria-live="polite">
          <Steps items={steps} />
        </div>
      </Card>
      {asking && (
        <Banner tone="warn" title={c('asking.title')} action={<Button small onClick={() => stop.current.abort()}>{t('pay.stop')}</Button>}>
          {c('asking.note', { n: asking.turn ?? 1 })}
        </Banner>
      )}
      {unknown && <Banner tone="warn">{c('unknown.note')}</Banner>}
      {phase === 'done' && pending && <Banner tone="warn">{t('result.pending.note')}</Banner>}
      {phase !== 'running' && (
        <Stack>
          {phase === 'done' && done.length > 0 && (
            <Button kind="primary" block href="#/history?show=bills">
              {t('pay.receipt')}
            </Button>
          )}
          <Button block onClick={leave}>
            {t('pay.back')}
          </Button>
        </Stack>
      )}
      <PinSheet
        open={phase === 'ask' && needsPin && !noPin}
        title={
          <>
            <p>{title}</p>
            <Amount text={money({ minor: rows.current.filter((row) => !row.became).reduce((n, row) => n + row.amount.minor, 0), currency: paid.currency })} size="l" />
          </>
        }
        error={pinError}
        onPin={(pin) => void payAll(pin)}
        onClose={leave}
      />
    </Page>
  );
}

function told(row: Row, over: boolean): Pick<StepItem, 'state' | 'note' | 'stateLabel'> {
  const became = row.became;
  if (!became) return row.turn !== undefined ? { state: 'now', note: t('pay.sending') } : { state: 'todo', note: over ? t('bill.step.not') : undefined };
  if (became.at === 'paid') return { state: 'done', stateLabel: t('result.paid') };
  if (became.at === 'pending') return { state: 'done', note: t('bill.step.pending') };
  if (became.at === 'refused') {
    const text = became.failure.detail.includes('quote_changed') ? c('error.quote_changed') : failureText(became.failure);
    return { state: 'failed', note: text, stateLabel: t('result.refused') };
  }
  return { state: 'now', note: c('unknown.title') };
}

function Remember({ biller, pack, account }: { biller: string; pack: string; account: string }) {
  const saved = useKept('accounts', api.savedAccounts);
  const held = saved.data?.find((one) => (one.biller === biller || one.biller === pack) && one.account_no === account);
  const [label, setLabel] = useState<string>();
  const act = useAct(async (body: { label?: string; remind: boolean } | undefined) => {
    if (body) await api.saveAccount(biller, account, body);
    else await api.forgetAccount(biller, account);
    toast(t(body ? 'account.saved' : 'account.forgotten'), 'ok');
    setLabel(undefined);
    saved.reload();
  });
  if (!saved.data) return null;
  const name = label ?? held?.label ?? '';
  return (
    <Section title={t('account.remember')}>
      <Card>
        <Stack>
          <TextField label={t('account.label')} placeholder={t('account.label.hint')} maxLength={20} value={name} onInput={setLabel} />
          <Switch
            label={t('account.remind')}
            note={t('account.remind.note')}
            checked={held?.remind ?? false}
            disabled={act.busy}
            onChange={(remind) => act.run({ label: name || undefined, remind })}
          />
          <Refused failure={act.failure} />
          <div class="pair">
            <Button busy={act.busy} disabled={held !== undefined && label === undefined} onClick={() => act.run({ label: name || undefined, remind: held?.remind ?? true })}>
              {t(held ? 'account.rename' : 'account.save')}
            </Button>
            {held && (
              <Button kind="quiet" onClick={() => act.run(undefined)}>
                {t('account.forget')}
              </Button>
            )}
          </div>
        </Stack>
      </Card>
    </Section>
  );
}
