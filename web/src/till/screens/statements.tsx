/** Statements of past days, and the shop's own file matched against one. */
import { useState } from 'preact/hooks';
import { c } from '../../common/text';
import { Badge, Banner, Button, Card, Cell, DateField, Empty, FileField, List, Section, Table } from '../../kit';
import type { Failure } from '../../lib/call';
import { day as dayText, money, today } from '../../lib/format';
import { useAct } from '../../lib/load';
import { href } from '../../lib/router';
import { BREAK_KINDS, type Break, type Matched, reconcile, saveStatement } from '../api';
import { daysBefore } from '../days';
import { Frame } from '../frame';
import { useMe } from '../me';
import { t } from '../text';
import { Refusal } from '../view';

const SHOWN = 14;
const BREAKS_SHOWN = 200;
const TONE = { missing_here: 'bad', missing_there: 'warn', amount_differs: 'bad', duplicate: 'warn' } as const;

/** Which line of the file could not be read. */
function LineRefusal({ failure }: { failure: Failure | undefined }) {
  const line = failure?.code === 'line_malformed' ? /line (\d+)/.exec(failure.detail)?.[1] : undefined;
  if (line === undefined) return <Refusal failure={failure} />;
  return (
    <Banner tone="bad" role="alert">
      {t('match.bad.line', { line })}
    </Banner>
  );
}

function Breaks({ result }: { result: Matched }) {
  const shown = result.breaks.slice(0, BREAKS_SHOWN);
  const all = BREAK_KINDS.reduce((sum, kind) => sum + result.counts[kind], 0);
  const amount = (one: Break['ours']) => (one ? money(one) : t('none'));
  return (
    <>
      <Table
        caption={t('match.breaks')}
        rows={shown.map((one, i) => ({ ...one, i }))}
        rowKey={(one) => one.i}
        columns={[
          { key: 'kind', label: t('match.kind'), cell: (one) => <Badge tone={TONE[one.code]}>{t(`break.${one.code}`)}</Badge> },
          {
            key: 'no',
            label: t('order.no'),
            cell: (one) =>
              one.ours || one.paid_at ? (
                <a class="k-link k-num" href={href(`/orders/${one.trade}`)}>
                  {one.order_no ?? t('orders.poster')}
                </a>
              ) : (
                <span class="k-num">{one.order_no ?? one.trade}</span>
              ),
          },
          { key: 'line', label: t('match.line'), align: 'end', cell: (one) => one.line ?? t('none') },
          { key: 'ours', label: t('match.here'), align: 'end', cell: (one) => amount(one.ours) },
          { key: 'theirs', label: t('match.there'), align: 'end', cell: (one) => amount(one.theirs) },
        ]}
      />
      {all > shown.length && <p class="till-note">{t('match.more', { n: all - shown.length })}</p>}
      <Card title={t('match.kinds')}>
        <dl class="till-explained">
          {BREAK_KINDS.filter((kind) => result.counts[kind] > 0).map((kind) => (
            <div key={kind}>
              <dt>{t('match.kind.count', { kind: t(`break.${kind}`), n: result.counts[kind] })}</dt>
              <dd>{t(`break.${kind}.note`)}</dd>
            </div>
          ))}
        </dl>
      </Card>
    </>
  );
}

function Reconcile() {
  const [day, setDay] = useState(() => daysBefore(today(), 1));
  const [file, setFile] = useState<File>();
  const [result, setResult] = useState<Matched>();
  const act = useAct(async (given: File) => {
    setResult(undefined);
    setResult(await reconcile(day, given));
  });
  const count = result ? BREAK_KINDS.reduce((sum, kind) => sum + result.counts[kind], 0) : 0;
  return (
    <Section title={t('match.title')}>
      <Card>
        <p>{t('match.lead')}</p>
        <DateField
          label={t('match.day')}
          value={day}
          max={daysBefore(today(), 1)}
          onChange={(next) => {
            setDay(next);
            setResult(undefined);
          }}
        />
        <FileField
          label={t('match.file')}
          hint={t('match.file.hint')}
          buttonLabel={t('match.choose')}
          fileName={file?.name}
          accept=".csv,text/csv,text/plain"
          onFiles={([given]) => {
            setFile(given);
            setResult(undefined);
            act.clear();
          }}
        />
        <Button kind="primary" block disabled={!file || day === ''} busy={act.busy} onClick={() => file && act.run(file)}>
          {t('match.do')}
        </Button>
        <LineRefusal failure={act.failure} />
      </Card>
      {result && (
        <div role="status">
          <Banner
            tone={count === 0 ? 'ok' : 'warn'}
            title={count === 0 ? t('match.all', { n: result.matched.count }) : t('match.some', { n: result.matched.count, breaks: count })}
          >
            {t('match.sums', { day: dayText(day), ours: money(result.ours.amount), theirs: money(result.theirs.amount) })}
          </Banner>
        </div>
      )}
      {result && count > 0 && <Breaks result={result} />}
    </Section>
  );
}

export default function Statements() {
  const { shop } = useMe();
  const [count, setCount] = useState(SHOWN);
  const opened = today(new Date(shop.created_at));
  const days = Array.from({ length: count }, (_, i) => daysBefore(today(), i + 1)).filter((one) => one >= daysBefore(opened, 1));
  const [which, setWhich] = useState('');
  const act = useAct(async (one: string) => {
    setWhich(one);
    await saveStatement(one, `${shop.name}-${one}.csv`);
  });
  return (
    <Frame title={t('statements.title')} tab="/more" back={href('/more')}>
      <Section title={t('statements.days')}>
        <p class="till-note">{t('statements.lead')}</p>
        <Refusal failure={act.failure} />
        {days.length === 0 ? (
          <Empty icon="ledger" title={t('statements.none')} note={t('statements.none.note')} />
        ) : (
          <List label={t('statements.days')}>
            {days.map((one) => (
              <Cell
                key={one}
                title={dayText(one)}
                trailing={
                  <Button kind="quiet" small icon="download" busy={act.busy && which === one} label={t('statements.save', { day: dayText(one) })} onClick={() => act.run(one)} />
                }
              />
            ))}
          </List>
        )}
        {days.length === count && (
          <Button block onClick={() => setCount(count + 30)}>
            {c('more')}
          </Button>
        )}
      </Section>
      <Reconcile />
    </Frame>
  );
}
