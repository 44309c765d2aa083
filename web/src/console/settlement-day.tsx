/** One biller's day: what was collected, what is paid out, and how the lists agree. */
import { useState } from 'preact/hooks';
import { Badge, Banner, Button, Card, DateField, Empty, FileField, Row, Section, Stack, Stat, toast } from '../kit';
import { download } from '../lib/call';
import { day as dayText, money, number, today } from '../lib/format';
import { useAct, useLoad } from '../lib/load';
import { type Report, type Totals, bankStatement, reconcile, report, settlementFile } from './api';
import { Breaks } from './breaks';
import { ActDialog, Loaded, Money, Refused, State, When, dayBy, inCity } from './parts';
import { t } from './text';
import { useMay } from './who';

const listed = (totals: Totals | null | undefined) =>
  totals ? (
    <>
      <Money of={inCity(totals.amount_minor)} /> <span class="o-note">{t('bills.n', { n: number(totals.count) })}</span>
    </>
  ) : (
    <Badge>{t('settle.not.returned')}</Badge>
  );

export function SettlementDay({ biller, name, day, onDay }: { biller: string; name: string; day: string; onDay: (day: string) => void }) {
  const may = useMay('staff');
  const found = useLoad(async (signal) => ({ report: await report(biller, day, signal) }), [biller, day]);
  const [closing, setClosing] = useState(false);
  const [turn, setTurn] = useState(0);
  const [statement, setStatement] = useState<File>();
  const run = async (reason: string) => {
    const made = await reconcile(biller, day, reason);
    found.set({ report: made });
    setTurn((n) => n + 1);
  };
  const take = async (chosen: File, reason: string) => {
    const totals = await bankStatement(biller, day, chosen, reason);
    toast(t('settle.bank.taken', { n: number(totals.count) }), 'ok');
  };
  const file = useAct(() => download(settlementFile(biller, day), `${biller}-${day}.txt`));
  const over = day < today();
  return (
    <Stack>
      <Row>
        <div class="o-days">
          <Button small icon="back" label={t('day.before')} onClick={() => onDay(dayBy(day, -1))} />
          <DateField label={t('day')} hideLabel value={day} onChange={(to) => to && onDay(to)} />
          <Button small icon="chevron-right" label={t('day.after')} onClick={() => onDay(dayBy(day, 1))} />
        </div>
      </Row>
      <Loaded load={found} shape="card">
        {({ report: made }) =>
          !made ? (
            <Empty
              icon="settlement"
              title={t('settle.none', { day: dayText(day) })}
              note={over ? t('settle.none.note') : t('settle.not.over')}
              action={
                may && (
                  <Button kind="primary" onClick={() => setClosing(true)}>
                    {t('settle.run')}
                  </Button>
                )
              }
            />
          ) : (
            <Stack>
              <Figures of={made} />
              <Row>
                {may && (
                  <Button icon="refresh" onClick={() => setClosing(true)}>
                    {t('settle.again')}
                  </Button>
                )}
                <Button icon="download" busy={file.busy} onClick={file.run}>
                  {t('settle.file')}
                </Button>
              </Row>
              <Refused failure={file.failure} />
              <Section title={t('breaks')}>
                {made.breaks === 0 ? (
                  <Banner tone="ok">{t('breaks.none')}</Banner>
                ) : (
                  <Breaks key={`${day} ${turn}`} of={{ biller, day }} />
                )}
              </Section>
            </Stack>
          )
        }
      </Loaded>
      {may && (
        <Section title={t('settle.bank')}>
          <Card>
            <Stack>
              <FileField
                label={t('settle.bank.file')}
                hint={t('settle.bank.hint')}
                buttonLabel={t('choose.file')}
                accept=".csv,.txt,text/csv,text/plain"
                onFiles={([chosen]) => setStatement(chosen)}
              />
            </Stack>
          </Card>
        </Section>
      )}
      <ActDialog
        open={closing}
        onClose={() => setClosing(false)}
        title={t('settle.run.title', { name, day: dayText(day) })}
        confirm={t('settle.run')}
        done={t('settle.ran')}
        act={run}
      >
        <p>{t('settle.run.what')}</p>
      </ActDialog>
      <ActDialog
        open={statement !== undefined}
        onClose={() => setStatement(undefined)}
        title={t('settle.bank.title', { name, day: dayText(day) })}
        confirm={t('settle.bank.file')}
        act={async (reason) => {
          if (statement) await take(statement, reason);
        }}
      >
        <p>{t('settle.bank.what', { file: statement?.name ?? '' })}</p>
      </ActDialog>
    </Stack>
  );
}

function Figures({ of }: { of: Report }) {
  const open = of.breaks > 0;
  return (
    <>
      <div class="o-stats">
        <Stat label={t('settle.ledger')} value={money(inCity(of.ledger.amount_minor))} note={t('bills.n', { n: number(of.ledger.count) })} />
        <Stat label={t('settle.fee')} value={money(inCity(of.fee_minor))} note={t(`settle.${of.method}`)} />
        <Stat label={t('settle.payout')} value={money(inCity(of.payout_minor))} note={t('settle.payout.on', { day: dayText(of.payout_on) })} />
        <Stat label={t('breaks')} value={number(of.breaks)} note={t('settle.matched', { n: number(of.matched) })} tone={open ? 'warn' : 'ok'} />
      </div>
      <Card>
        <dl class="o-lists">
          <div>
            <dt>{t('settle.biller.list')}</dt>
            <dd>{listed(of.billers)}</dd>
          </div>
          <div>
            <dt>{t('settle.bank.list')}</dt>
            <dd>{listed(of.banks)}</dd>
          </div>
          <div>
            <dt>{t('state')}</dt>
            <dd>
              <State tone={open ? 'warn' : 'ok'}>{t(open ? 'settled.breaks' : 'settled.matched')}</State>
            </dd>
          </div>
          <div>
            <dt>{t('settle.run.at')}</dt>
            <dd>
              <When at={of.run_at} />
            </dd>
          </div>
        </dl>
      </Card>
    </>
  );
}
