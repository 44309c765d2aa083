/** What billers are paid by bank: what is due, the messages for the bank, what the bank said, and where it disagrees. */
import { useState } from 'preact/hooks';
import { c } from '../common/text';
import { Banner, Button, Card, DateField, Empty, FileField, Page, Pager, Row, Section, Segmented, SelectField, Stack, Switch, Table, type Tone, toast } from '../kit';
import { download } from '../lib/call';
import { day as dayText, money, number, today } from '../lib/format';
import { useAct, usePages } from '../lib/load';
import { href, replace } from '../lib/router';
import { PAYOUT_STATES, type Payout, type PayoutState, type Taken, bankMessage, batchFile, makeBatch, payoutAgain, payoutBatches, payoutBreaks, payouts } from './api';
import type { ScreenProps } from './app';
import { ActDialog, Id, Loaded, Money, Refused, State, When, billerName, isDay } from './parts';
import { t, word } from './text';
import { useMay } from './who';

const TABS = ['list', 'batches', 'breaks'] as const;
type Tab = (typeof TABS)[number];
const TONE: Record<PayoutState, Tone> = { due: 'neutral', sent: 'info', accepted: 'info', booked: 'ok', rejected: 'bad', returned: 'bad' };

export default function Payouts({ query }: ScreenProps) {
  const tab: Tab = TABS.find((one) => one === query.get('tab')) ?? 'list';
  const state = PAYOUT_STATES.find((one) => one === query.get('state'));
  return (
    <Page title={t('nav.payouts')} wide>
      <Row>
        <Segmented label={t('payouts.parts')} value={tab} options={TABS.map((value) => ({ value, label: t(`payouts.${value}`) }))} onChange={(value) => replace('/payouts', { tab: value })} />
      </Row>
      {tab === 'list' ? <Sent state={state} /> : tab === 'batches' ? <Batches /> : <Breaks />}
    </Page>
  );
}

function Sent({ state }: { state: PayoutState | undefined }) {
  const admin = useMay('admin');
  const found = usePages((cursor, signal) => payouts(state, cursor, signal), [state]);
  const [again, setAgain] = useState<Payout>();
  return (
    <Stack>
      <div class="o-inline">
        <SelectField
          label={t('state')}
          value={state ?? ''}
          options={[{ value: '', label: t('all') }, ...PAYOUT_STATES.map((value) => ({ value, label: t(`payout.${value}`) }))]}
          onChange={(value) => replace('/payouts', { tab: 'list', state: value })}
        />
      </div>
      <Loaded load={found}>
        {(rows) => (
          <Table
            caption={t('payouts.list')}
            rows={rows}
            rowKey={(one) => one.id}
            empty={<Empty icon="pay" title={t('payouts.none')} note={t('payouts.none.note')} />}
            columns={[
              {
                key: 'biller',
                label: t('biller'),
                cell: (one) => (
                  <span class="o-subject">
                    <a class="k-link" href={href(`/billers/${one.biller}`, { tab: 'settlements', day: one.day })}>
                      {one.name ? billerName(one.name) : one.biller}
                    </a>
                    <Id id={one.id} />
                  </span>
                ),
              },
              { key: 'day', label: t('day'), cell: (one) => <span class="o-short">{dayText(one.day)}</span> },
              { key: 'due', label: t('payout.from'), cell: (one) => <span class="o-short">{dayText(one.due)}</span> },
              { key: 'amount', label: t('amount'), align: 'end', cell: (one) => <Money of={one.amount} /> },
              {
                key: 'state',
                label: t('state'),
                cell: (one) => (
                  <span class="o-accepted">
                    <State tone={TONE[one.state]}>{t(`payout.${one.state}`)}</State>
                    {one.reason !== '' && (
                      <span class="o-note" lang="en">
                        {one.reason}
                      </span>
                    )}
                    {one.again && <span class="o-note">{t('payout.again.as', { id: one.again })}</span>}
                    {one.instead_of && <span class="o-note">{t('payout.instead', { id: one.instead_of })}</span>}
                  </span>
                ),
              },
              {
                key: 'to',
                label: t('payout.to'),
                cell: (one) =>
                  one.creditor ? (
                    <span class="o-subject">
                      {one.creditor.name}
                      <span class="o-code">{one.creditor.account}</span>
                      <span class="o-code">{one.creditor.agent}</span>
                    </span>
                  ) : (
                    t('none')
                  ),
              },
              {
                key: 'again',
                label: t('payout.again'),
                hideLabel: true,
                cell: (one) =>
                  admin &&
                  (one.state === 'rejected' || one.state === 'returned') &&
                  one.back &&
                  !one.again && (
                    <Button small onClick={() => setAgain(one)}>
                      {t('payout.again')}
                    </Button>
                  ),
              },
            ]}
          />
        )}
      </Loaded>
      {found.data && <Refused failure={found.failure} />}
      {found.more && <Pager label={c('more')} busy={found.busy} onMore={found.more} />}
      <ActDialog
        open={again !== undefined}
        onClose={() => setAgain(undefined)}
        title={t('payout.again')}
        confirm={t('payout.again')}
        done={t('payout.again.done')}
        act={async (reason) => {
          if (!again) return;
          await payoutAgain(again.id, reason);
          found.reload();
        }}
      >
        {again && <p>{t('payout.again.what', { name: again.name ? billerName(again.name) : again.biller, amount: money(again.amount) })}</p>}
      </ActDialog>
    </Stack>
  );
}

function Batches() {
  const may = useMay('staff');
  const found = usePages((cursor, signal) => payoutBatches(cursor, signal), []);
  const [day, setDay] = useState(today());
  const [making, setMaking] = useState(false);
  const fetching = useAct((name: string) => download(batchFile(name), `${name}.xml`));
  return (
    <Stack>
      {may && (
        <Section title={t('batch.make')}>
          <Card>
            <div class="o-inline">
              <p class="o-note">{t('batch.note')}</p>
              <DateField label={t('batch.day')} required value={day} max={today()} onChange={setDay} />
              <Button kind="primary" icon="settlement" disabled={!isDay(day) || day > today()} onClick={() => setMaking(true)}>
                {t('batch.make')}
              </Button>
            </div>
          </Card>
        </Section>
      )}
      <Section title={t('payouts.batches')}>
        <Refused failure={fetching.failure} />
        <Loaded load={found}>
          {(rows) => (
            <Table
              caption={t('payouts.batches')}
              rows={rows}
              rowKey={(one) => one.name}
              empty={<Empty icon="settlement" title={t('batches.none')} note={t('batches.none.note')} />}
              columns={[
                { key: 'name', label: t('batch.name'), cell: (one) => <Id id={one.name} /> },
                { key: 'day', label: t('batch.day'), cell: (one) => <span class="o-short">{dayText(one.day)}</span> },
                { key: 'payouts', label: t('bills'), align: 'end', cell: (one) => number(one.payouts) },
                { key: 'amount', label: t('amount'), align: 'end', cell: (one) => <Money of={one.amount} /> },
                { key: 'made', label: t('time'), cell: (one) => <When at={one.made_at} /> },
                {
                  key: 'file',
                  label: t('batch.file'),
                  hideLabel: true,
                  cell: (one) =>
                    may && (
                      <Button small icon="download" busy={fetching.busy} onClick={() => fetching.run(one.name)}>
                        {t('batch.file')}
                      </Button>
                    ),
                },
              ]}
            />
          )}
        </Loaded>
        {found.data && <Refused failure={found.failure} />}
        {found.more && <Pager label={c('more')} busy={found.busy} onMore={found.more} />}
      </Section>
      <ActDialog
        open={making}
        onClose={() => {
          setMaking(false);
          found.reload(); // an answer that was lost is found in the list
        }}
        title={t('batch.make')}
        confirm={t('batch.make')}
        act={async (reason) => {
          const made = await makeBatch(day, reason);
          toast(t('batch.made', { n: number(made.payouts), amount: money(made.amount) }), 'ok');
        }}
      >
        <p>{t('batch.what', { day: dayText(isDay(day) ? day : today()) })}</p>
      </ActDialog>
    </Stack>
  );
}

function Breaks() {
  const may = useMay('staff');
  const [open, setOpen] = useState(true);
  const found = usePages((cursor, signal) => payoutBreaks(open, cursor, signal), [open]);
  const [given, setGiven] = useState<{ kind: 'status' | 'statement'; file: File }>();
  const [taken, setTaken] = useState<Taken>();
  const take = (kind: 'status' | 'statement') => (
    <FileField
      label={t(`bank.${kind}`)}
      hint={t(`bank.${kind}.hint`)}
      buttonLabel={t('choose.file')}
      accept=".xml,application/xml,text/xml"
      onFiles={([file]) => {
        setTaken(undefined);
        setGiven(file && { kind, file });
      }}
    />
  );
  return (
    <Stack>
      {may && (
        <Section title={t('bank.messages')}>
          <Card>
            <Stack>
              <div class="o-two">
                {take('status')}
                {take('statement')}
              </div>
              {taken && (
                <Banner tone={taken.breaks > 0 ? 'warn' : 'ok'} role="status">
                  {t(taken.repeated ? 'bank.repeated' : 'bank.taken', { changed: number(taken.changed), breaks: number(taken.breaks) })}
                </Banner>
              )}
            </Stack>
          </Card>
        </Section>
      )}
      <Section title={t('payouts.breaks')}>
        <Switch label={t('payouts.breaks.open')} checked={open} onChange={setOpen} />
        <Loaded load={found}>
          {(rows) => (
            <Table
              caption={t('payouts.breaks')}
              rows={rows}
              rowKey={(one) => one.id}
              empty={<Empty icon="check" tone="ok" title={t('payouts.breaks.none')} />}
              columns={[
                { key: 'code', label: t('break'), cell: (one) => <strong class="o-short">{t(`paybreak.${one.code}`)}</strong> },
                { key: 'reference', label: t('reference'), cell: (one) => <Id id={one.reference} /> },
                { key: 'ours', label: t('break.ours'), align: 'end', cell: (one) => <Money of={one.ours} /> },
                { key: 'theirs', label: t('paybreak.theirs'), align: 'end', cell: (one) => <Money of={one.theirs} /> },
                { key: 'remedy', label: t('break.remedy'), cell: (one) => word(`remedy.${one.remedy}`) },
                { key: 'found', label: t('time'), cell: (one) => <When at={one.found_at} /> },
                {
                  key: 'state',
                  label: t('state'),
                  cell: (one) => (one.resolved_at ? <State tone="ok">{t('paybreak.resolved')}</State> : <State tone="warn">{t('break.open')}</State>),
                },
              ]}
            />
          )}
        </Loaded>
        {found.data && <Refused failure={found.failure} />}
        {found.more && <Pager label={c('more')} busy={found.busy} onMore={found.more} />}
      </Section>
      <ActDialog
        open={given !== undefined}
        onClose={() => setGiven(undefined)}
        title={t(`bank.${given?.kind ?? 'status'}`)}
        confirm={t('bank.do')}
        act={async (reason) => {
          if (!given) return;
          setTaken(await bankMessage(given.kind, given.file, reason));
          found.reload();
        }}
      >
        <p class="o-file">{t('bank.what', { file: given?.file.name ?? '' })}</p>
      </ActDialog>
    </Stack>
  );
}
