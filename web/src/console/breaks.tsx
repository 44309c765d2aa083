/** Where lists disagree on a biller's day, what is proposed, and taking note of it. */
import { useState } from 'preact/hooks';
import { c } from '../common/text';
import { Button, Empty, Pager, Table } from '../kit';
import { day as dayText } from '../lib/format';
import { usePages } from '../lib/load';
import { href } from '../lib/router';
import { type BreakItem, type BreaksOf, acceptBreak, breaks } from './api';
import { ActDialog, Id, Loaded, Money, Refused, State, When } from './parts';
import { t, word } from './text';
import { useMay } from './who';

/** The breaks of a biller's day, of a day, or of all days; with the names of the billers where there are several. */
export function Breaks({ of, names, onAccepted }: { of: BreaksOf; names?: Map<string, string>; onAccepted?: () => void }) {
  const found = usePages((cursor, signal) => breaks(of, cursor, signal), [of.biller, of.day, of.state]);
  const [open, setOpen] = useState<BreakItem>();
  const may = useMay('admin');
  return (
    <>
      <Loaded load={found}>
        {(rows) => (
          <Table
            caption={t('breaks')}
            rows={rows}
            rowKey={(one) => `${one.biller} ${one.day} ${one.number}`}
            empty={<Empty icon="check" tone="ok" title={t('breaks.none')} />}
            columns={[
              { key: 'code', label: t('break'), cell: (one) => <strong class="o-short">{word(`break.${one.code}`)}</strong> },
              ...(names
                ? [
                    {
                      key: 'biller',
                      label: t('biller'),
                      cell: (one: BreakItem) => (
                        <a class="k-link" href={href(`/billers/${one.biller}`, { tab: 'settlements', day: one.day })}>
                          {names.get(one.biller) ?? one.biller}
                        </a>
                      ),
                    },
                  ]
                : []),
              ...(of.day ? [] : [{ key: 'day', label: t('day'), cell: (one: BreakItem) => <span class="o-short">{dayText(one.day)}</span> }]),
              { key: 'source', label: t('break.source'), cell: (one) => <span class="o-short">{word(`source.${one.source}`)}</span> },
              { key: 'reference', label: t('reference'), cell: (one) => <Id id={one.reference} /> },
              { key: 'ours', label: t('break.ours'), align: 'end', cell: (one) => <Money of={one.ours} /> },
              { key: 'theirs', label: t('break.theirs'), align: 'end', cell: (one) => <Money of={one.theirs} /> },
              { key: 'remedy', label: t('break.remedy'), cell: (one) => word(`remedy.${one.remedy}`) },
              {
                key: 'accept',
                label: t('state'),
                cell: (one) =>
                  one.state === 'accepted' ? (
                    <span class="o-accepted">
                      <State tone="ok">{t('break.accepted')}</State>
                      <span class="o-note">
                        {one.accepted_by_name ?? one.accepted_by} · <When at={one.accepted_at} />
                          {one.reason && <> · {one.reason}</>}
                      </span>
                    </span>
                  ) : may ? (
                    <Button small onClick={() => setOpen(one)}>
                      {t('break.accept')}
                    </Button>
                  ) : (
                    <State tone="warn">{t('break.open')}</State>
                  ),
              },
            ]}
          />
        )}
      </Loaded>
      {found.data && <Refused failure={found.failure} />}
      {found.more && <Pager label={c('more')} busy={found.busy} onMore={found.more} />}
      <ActDialog
        open={open !== undefined}
        onClose={() => setOpen(undefined)}
        title={t('break.accept')}
        confirm={t('break.accept.do')}
        done={t('break.accepted.done')}
        act={async (reason) => {
          if (!open) return;
          const accepted = await acceptBreak(open, reason);
          found.set((found.data ?? []).map((one) => (one.id === accepted.id ? { ...accepted, number: one.number } : one)));
          onAccepted?.();
        }}
      >
        {open && (
          <>
            <p>
              <strong>{word(`break.${open.code}`)}</strong> · <Id id={open.reference} />
            </p>
            <p>{t('break.accept.what', { remedy: word(`remedy.${open.remedy}`) })}</p>
          </>
        )}
      </ActDialog>
    </>
  );
}
