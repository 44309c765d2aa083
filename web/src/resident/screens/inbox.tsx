/** The inbox: what the person was reminded of, and what auto-pay did. What is shown counts as read. */
import { useEffect, useState } from 'preact/hooks';
import { c } from '../../common/text';
import { Badge, Button, Cell, Empty, type IconName, List } from '../../kit';
import { dateTime } from '../../lib/format';
import { usePages } from '../../lib/load';
import { href } from '../../lib/router';
import * as api from '../api';
import { keep } from '../kept';
import { SubScreen } from '../screen';
import { named } from '../services';
import { Loaded } from '../states';
import { t } from '../text';

const ICON: Record<api.NoteKind, IconName> = {
  new_bill: 'bill',
  due_soon: 'calendar',
  overdue: 'warn',
  supply_cut_soon: 'alert',
  autopay_notice: 'refresh',
  autopay_failed: 'error',
};

export default function InboxScreen() {
  const notes = usePages((cursor, signal) => api.inbox(cursor, 20, signal), []);
  const [read, setRead] = useState<ReadonlySet<string>>(new Set());
  useEffect(() => {
    const fresh = (notes.data ?? []).filter((note) => !note.read_at && !read.has(note.id)).map((note) => note.id);
    if (fresh.length === 0) return;
    setRead(new Set([...read, ...fresh]));
    void api.readNotes(fresh).then(
      (answer) => keep('unread', answer.unread),
      () => undefined, // they stay unread, and are told again
    );
  }, [notes.data]);
  return (
    <SubScreen title={t('inbox.title')} back="#/" actions={<Button kind="quiet" icon="settings" label={t('reminders.title')} href="#/me/reminders" />}>
      <Loaded of={notes}>
        {(all) =>
          all.length === 0 ? (
            <Empty icon="bell" title={t('inbox.empty')} note={t('inbox.empty.note')} />
          ) : (
            <>
              <List>
                {all.map((note) => (
                  <Cell
                    key={note.id}
                    icon={ICON[note.kind]}
                    tone={note.kind === 'overdue' || note.kind === 'supply_cut_soon' || note.kind === 'autopay_failed' ? 'warn' : undefined}
                    href={note.mandate ? href(`/autopay/${note.mandate}`) : href(`/bills/${note.biller}/${encodeURIComponent(note.account_no)}`)}
                    title={
                      <>
                        {t(`note.${note.kind}`)} {!note.read_at && <Badge tone="brand">{t('inbox.new')}</Badge>} {note.family && <Badge>{t('inbox.family')}</Badge>}
                      </>
                    }
                    note={
                      <>
                        {named(note.text)}
                        {note.sent_at && <span class="note-time">{dateTime(note.sent_at)}</span>}
                      </>
                    }
                  />
                ))}
              </List>
              {notes.more && (
                <Button block busy={notes.busy} onClick={notes.more}>
                  {c('more')}
                </Button>
              )}
            </>
          )
        }
      </Loaded>
    </SubScreen>
  );
}
