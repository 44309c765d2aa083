/** Banks and providers that collect the same bills: what they owe, their limit, what they claimed, and what they handed over. */
import { useState } from 'preact/hooks';
import { c } from '../common/text';
import { Banner, Button, Empty, Page, Pager, Row, Section, Segmented, Stack, Switch, Table, TextArea, TextField, type Tone, toast } from '../kit';
import { cityCurrency, fourEyesLimit, money, parseAmount } from '../lib/format';
import { usePages } from '../lib/load';
import { replace } from '../lib/router';
import { type Collector, type CollectorClaim, addCollector, changeCollector, collectorClaims, collectors, handedOver } from './api';
import type { ScreenProps } from './app';
import { ActDialog, Id, Loaded, Money, Refused, State, When, billerName, inCity } from './parts';
import { t } from './text';
import { WAITING_CHANGED, useMay } from './who';

const REFERENCE = /^[\x21-\x7e]{1,64}$/;
const TONE: Record<CollectorClaim['state'], Tone> = { held: 'info', lapsed: 'neutral', cancelled: 'neutral', waiting: 'warn', paid: 'ok', advance: 'warn' };

export default function Collectors({ query }: ScreenProps) {
  const [admin, staff] = [useMay('admin'), useMay('staff')];
  const found = usePages((cursor, signal) => collectors(cursor, signal), []);
  const [adding, setAdding] = useState(false);
  const [changing, setChanging] = useState<Collector>();
  const [settling, setSettling] = useState<Collector>();
  const [waits, setWaits] = useState(false);
  const chosen = found.data?.find((one) => one.id === query.get('of'));
  const add = admin && (
    <Button kind="primary" icon="plus" onClick={() => setAdding(true)}>
      {t('collector.add')}
    </Button>
  );
  return (
    <Page title={t('nav.collectors')} wide actions={found.data && found.data.length > 0 && add}>
      {waits && (
        <Banner tone="warn" role="status" icon="eye">
          {t('money.waits.note')}
        </Banner>
      )}
      <Loaded load={found}>
        {(rows) => (
          <Table
            caption={t('nav.collectors')}
            rows={rows}
            rowKey={(one) => one.id}
            onRow={(one) => replace('/collectors', { of: one.id === chosen?.id ? undefined : one.id })}
            empty={<Empty icon="collect" title={t('collectors.none')} note={t('collectors.none.note')} action={add} />}
            columns={[
              { key: 'name', label: t('name'), cell: (one) => billerName(one.name) },
              { key: 'kind', label: t('collector.kind'), cell: (one) => t(`collector.${one.kind}`) },
              { key: 'state', label: t('state'), cell: (one) => <State tone={one.open ? 'ok' : 'neutral'}>{t(one.open ? 'collector.open' : 'collector.closed')}</State> },
              { key: 'owed', label: t('collector.owed'), align: 'end', cell: (one) => <Money of={one.owed} /> },
              { key: 'held', label: t('collector.held'), align: 'end', cell: (one) => <Money of={one.held} /> },
              { key: 'limit', label: t('collector.limit'), align: 'end', cell: (one) => <Money of={one.limit} /> },
              { key: 'left', label: t('collector.left'), align: 'end', cell: (one) => <Money of={one.left} /> },
              {
                key: 'acts',
                label: t('action'),
                hideLabel: true,
                cell: (one) => (
                  <Row>
                    {staff && (
                      <Button small onClick={() => setSettling(one)}>
                        {t('collector.settle')}
                      </Button>
                    )}
                    {admin && (
                      <Button small onClick={() => setChanging(one)}>
                        {t('collector.change')}
                      </Button>
                    )}
                  </Row>
                ),
              },
            ]}
          />
        )}
      </Loaded>
      {found.data && <Refused failure={found.failure} />}
      {found.more && <Pager label={c('more')} busy={found.busy} onMore={found.more} />}
      {chosen && <Claims key={chosen.id} of={chosen} />}
      {adding && <Add onClose={() => setAdding(false)} onDone={found.reload} />}
      {changing && <Change of={changing} onClose={() => setChanging(undefined)} onDone={found.reload} />}
      {settling && (
        <Settle
          of={settling}
          onClose={() => setSettling(undefined)}
          onDone={(waiting) => {
            setWaits(waiting);
            found.reload();
            dispatchEvent(new Event(WAITING_CHANGED));
          }}
        />
      )}
    </Page>
  );
}

function Claims({ of }: { of: Collector }) {
  const found = usePages((cursor, signal) => collectorClaims(of.id, cursor, signal), [of.id]);
  const title = t('collector.claims', { name: billerName(of.name) });
  return (
    <Section title={title}>
      <p class="o-note">
        <Id id={of.id} /> · {of.reference}
      </p>
      <Loaded load={found}>
        {(rows) => (
          <Table
            caption={title}
            rows={rows}
            rowKey={(one) => one.id}
            empty={<Empty icon="bill" title={t('collector.claims.none')} />}
            columns={[
              { key: 'at', label: t('time'), cell: (one) => <When at={one.created_at} /> },
              {
                key: 'bill',
                label: t('new.account'),
                cell: (one) => (
                  <span class="o-subject">
                    {one.account_no}
                    <span class="o-code">{one.bill}</span>
                  </span>
                ),
              },
              { key: 'amount', label: t('amount'), align: 'end', cell: (one) => <Money of={one.amount} /> },
              { key: 'kind', label: t('collector.how'), cell: (one) => t(one.claimed ? 'collector.claimed' : 'collector.receipt') },
              {
                key: 'state',
                label: t('state'),
                cell: (one) => (
                  <span class="o-accepted">
                    <State tone={TONE[one.state]}>{t(`claim.${one.state}`)}</State>
                    {one.reason && <span class="o-note">{t(`claimed.${one.reason}`)}</span>}
                    {one.state === 'held' && one.until && (
                      <span class="o-note">
                        {t('claim.until')} <When at={one.until} />
                      </span>
                    )}
                  </span>
                ),
              },
              { key: 'reference', label: t('reference'), cell: (one) => <Id id={one.reference} /> },
            ]}
          />
        )}
      </Loaded>
      {found.data && <Refused failure={found.failure} />}
      {found.more && <Pager label={c('more')} busy={found.busy} onMore={found.more} />}
    </Section>
  );
}

function Add({ onClose, onDone }: { onClose: () => void; onDone: () => void }) {
  const [form, setForm] = useState({ zh: '', en: '', reference: '', limit: '', billers: '' });
  const [kind, setKind] = useState<Collector['kind']>('bank');
  const set = (name: keyof typeof form) => (value: string) => setForm({ ...form, [name]: value });
  const limit = parseAmount(form.limit, cityCurrency());
  const billers = form.billers.split(/[\s,，、]+/).filter(Boolean);
  const ready = form.zh.trim() !== '' && form.en.trim() !== '' && REFERENCE.test(form.reference.trim()) && limit !== undefined;
  return (
    <ActDialog
      open
      onClose={onClose}
      title={t('collector.add')}
      confirm={t('collector.add')}
      ready={ready}
      done={t('collector.added')}
      act={async (reason) => {
        await addCollector({
          kind,
          name: { zh: form.zh.trim(), en: form.en.trim() },
          reference: form.reference.trim(),
          limit: inCity(limit ?? 0),
          billers: billers.length > 0 ? billers : null,
          reason,
        });
        onDone();
      }}
    >
      <Stack>
        <p>{t('collector.add.what')}</p>
        <Segmented label={t('collector.kind')} value={kind} options={(['bank', 'provider'] as const).map((value) => ({ value, label: t(`collector.${value}`) }))} onChange={(value) => setKind(value as Collector['kind'])} />
        <TextField label={t('collector.zh')} required maxLength={60} value={form.zh} onInput={set('zh')} />
        <TextField label={t('collector.en')} required maxLength={60} value={form.en} onInput={set('en')} />
        <TextField label={t('shop.reference')} hint={t('collector.reference.hint')} required mono maxLength={64} value={form.reference} onInput={set('reference')} />
        <TextField
          label={t('collector.limit.field')}
          hint={limit === undefined ? t('collector.limit.hint') : money(inCity(limit))}
          error={form.limit !== '' && limit === undefined ? t('money.amount.wrong') : undefined}
          required
          mono
          inputMode="decimal"
          value={form.limit}
          onInput={set('limit')}
        />
        <TextArea label={t('collector.billers')} hint={t('collector.billers.hint')} optionalLabel={t('optional')} mono rows={2} value={form.billers} onInput={set('billers')} />
      </Stack>
    </ActDialog>
  );
}

function Change({ of, onClose, onDone }: { of: Collector; onClose: () => void; onDone: () => void }) {
  const [text, setText] = useState('');
  const [open, setOpen] = useState(of.open);
  const limit = parseAmount(text, cityCurrency());
  const wrong = text !== '' && limit === undefined;
  return (
    <ActDialog
      open
      onClose={onClose}
      title={t('collector.change.title', { name: billerName(of.name) })}
      confirm={t('collector.change')}
      ready={!wrong && (text !== '' || open !== of.open)}
      done={t('collector.changed')}
      act={async (reason) => {
        await changeCollector(of.id, { limit: limit === undefined ? null : inCity(limit), open: open === of.open ? null : open, reason });
        onDone();
      }}
    >
      <Stack>
        <p>{t('collector.change.what', { limit: money(of.limit), owed: money(of.owed) })}</p>
        <TextField
          label={t('collector.limit.field')}
          hint={limit === undefined ? t('collector.limit.keep') : money(inCity(limit))}
          error={wrong ? t('money.amount.wrong') : undefined}
          optionalLabel={t('optional')}
          mono
          inputMode="decimal"
          value={text}
          onInput={setText}
        />
        <Switch label={t('collector.may')} note={t('collector.may.note')} checked={open} onChange={setOpen} />
      </Stack>
    </ActDialog>
  );
}

function Settle({ of, onClose, onDone }: { of: Collector; onClose: () => void; onDone: (waits: boolean) => void }) {
  const [text, setText] = useState('');
  const [reference, setReference] = useState('');
  const minor = parseAmount(text, cityCurrency());
  const bad = reference !== '' && !REFERENCE.test(reference.trim());
  return (
    <ActDialog
      open
      onClose={onClose}
      title={t('collector.settle.title', { name: billerName(of.name) })}
      confirm={t('money.do')}
      ready={minor !== undefined && minor > 0 && REFERENCE.test(reference.trim())}
      act={async (reason) => {
        const booked = await handedOver(of.id, inCity(minor ?? 0), reference.trim(), reason);
        if ('moved' in booked) toast(t(booked.moved.repeated ? 'money.repeated' : 'collector.settled', { amount: money(booked.moved.amount) }), 'ok');
        onDone('approval' in booked);
      }}
    >
      <Stack>
        <p>{t('collector.settle.what', { owed: money(of.owed) })}</p>
        <TextField
          label={t('money.amount')}
          hint={minor ? money(inCity(minor)) : t('money.amount.hint')}
          error={text !== '' && !minor ? t('money.amount.wrong') : undefined}
          required
          mono
          focus
          inputMode="decimal"
          value={text}
          onInput={setText}
        />
        <TextField label={t('money.reference')} hint={t('money.reference.hint')} error={bad ? t('money.reference.wrong') : undefined} required mono maxLength={64} value={reference} onInput={setReference} />
        <p class="o-note">{t('money.eyes', { limit: money(fourEyesLimit() ?? inCity(0)) })}</p>
        <p class="o-note">{t('money.safe')}</p>
      </Stack>
    </ActDialog>
  );
}
