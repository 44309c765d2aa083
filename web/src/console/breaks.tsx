/** Where lists disagree on a biller's day, what is proposed, and taking note of it. */
import { useState } from 'preact/hooks';
import { c } from '../common/text';
import { Button, Empty, Pager, Table } from '../kit';
import { usePages } from '../lib/load';
import { type BreakItem, acceptBreak, breaks } from './api';
import { ActDialog, Id, Loaded, Money, Refused, State, When } from './parts';
import { t, word } from './text';
import { useMay } from './who';

export function Breaks({ biller, day, onAccepted }: { biller: string; day: string; onAccepted?: () => void }) {
  const found = usePages((cursor, signal) => breaks(biller, day, cursor, signal), [biller, day]);
  const [open, setOpen] = useState<BreakItem>();
  const may = useMay('staff');
  return (
    <>
      <Loaded load={found}>
        {(rows) => (
          <Table
            caption={t('breaks')}
            rows={rows}
            rowKey={(one) => one.id ?? one.number}
            empty={<Empty icon="check" tone="ok" title={t('breaks.none')} />}
            columns={[
              { key: 'code', label: t('break'), cell: (one) => <strong>{word(`break.${one.code}`)}</strong> },
              { key: 'source', label: t('break.source'), cell: (one) => word(`source.${one.source}`) },
              { key: 'reference', label: t('reference'), cell: (one) => <Id id={one.reference} /> },
              { key: 'ours', label: t('break.ours'), align: 'end', cell: (one) => <Money of={one.ours} /> },
              { key: 'theirs', label: t('break.theirs'), align: 'end', cell: (one) => <Money of={one.theirs} /> },
              { key: 'remedy', label: t('break.remedy'), cell: (one) => word(`remedy.${one.remedy}`) },
              {
                key: 'accept',
                label: t('state'),
                cell: (one) =>
                  one.accepted ? (
                    <span class="o-accepted">
                      <State tone="ok">{t('break.accepted')}</State>
                      <span class="o-note">
                        {one.accepted.by.name ?? one.accepted.by.id} · <When at={one.accepted.at} />
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
          await acceptBreak(biller, day, open.id, reason);
          found.reload();
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
