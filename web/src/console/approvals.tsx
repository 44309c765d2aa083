/** Four eyes: what one operator asked for and another decides. */
import { useState } from 'preact/hooks';
import { c } from '../common/text';
import { Amount, Badge, Banner, Button, Card, Descriptions, Empty, Page, Pager, Row, Segmented, Stack, type Tone } from '../kit';
import { Failure } from '../lib/call';
import { decimal, money } from '../lib/format';
import { usePages } from '../lib/load';
import { href, replace } from '../lib/router';
import { type Approval, approvals, decide } from './api';
import type { ScreenProps } from './app';
import { ActDialog, Id, Loaded, Refused, State, When, failureWord } from './parts';
import { t } from './text';
import { WAITING_CHANGED, useWho } from './who';

const STATES = ['waiting', 'booked', 'rejected', 'failed'] as const;
const TONE: Record<Approval['state'], Tone> = { waiting: 'warn', approved: 'info', booked: 'ok', rejected: 'neutral', failed: 'bad' };

export default function Approvals({ query }: ScreenProps) {
  const asked = query.get('state');
  const state = STATES.find((one) => one === asked) ?? 'waiting';
  const found = usePages((cursor, signal) => approvals(state, cursor, signal), [state]);
  const [deciding, setDeciding] = useState<{ approval: Approval; verdict: 'approve' | 'reject' }>();
  const approval = deciding?.approval;
  return (
    <Page title={t('nav.approvals')} wide>
      <Row>
        <Segmented
          label={t('state')}
          value={state}
          options={STATES.map((value) => ({ value, label: t(`approval.${value}`) }))}
          onChange={(value) => replace('/approvals', { state: value })}
        />
      </Row>
      <Loaded load={found} shape="card">
        {(items) =>
          items.length === 0 ? (
            <Empty icon="eye" title={t(state === 'waiting' ? 'approvals.none' : 'approvals.none.other')} note={state === 'waiting' ? t('approvals.none.note') : undefined} />
          ) : (
            <div class="o-cards">
              {items.map((one) => (
                <One key={one.id} one={one} onDecide={(verdict) => setDeciding({ approval: one, verdict })} />
              ))}
            </div>
          )
        }
      </Loaded>
      {found.data && <Refused failure={found.failure} />}
      {found.more && <Pager label={c('more')} busy={found.busy} onMore={found.more} />}
      <ActDialog
        open={deciding !== undefined}
        onClose={() => setDeciding(undefined)}
        title={t(deciding?.verdict === 'reject' ? 'approval.reject' : 'approval.approve')}
        confirm={t(deciding?.verdict === 'reject' ? 'approval.reject' : 'approval.approve')}
        danger
        typed={approval && deciding?.verdict === 'approve' ? { label: t('approval.typed'), text: decimal(approval.amount.minor, approval.amount.currency) } : undefined}
        done={t(deciding?.verdict === 'reject' ? 'approval.rejected.done' : 'approval.approved.done')}
        act={async (reason) => {
          if (!deciding) return;
          const after = await decide(deciding.approval.id, deciding.verdict, reason);
          found.reload();
          dispatchEvent(new Event(WAITING_CHANGED));
          if (after.state === 'failed') throw new Failure('refused', after.outcome ?? 'failed', '', 409);
        }}
      >
        {approval && (
          <Stack>
            <Amount text={money(approval.amount)} size="l" />
            <p>{t(deciding?.verdict === 'reject' ? 'approval.reject.what' : `kind.${approval.kind}.what`)}</p>
            <Descriptions
              items={[
                { label: t('subject'), value: approval.subject_name },
                { label: t('money.reference'), value: <Id id={approval.reference} /> },
              ]}
            />
            {deciding?.verdict === 'approve' && <p class="o-note">{t('approval.approve.what')}</p>}
          </Stack>
        )}
      </ActDialog>
    </Page>
  );
}

function One({ one, onDecide }: { one: Approval; onDecide: (verdict: 'approve' | 'reject') => void }) {
  const who = useWho();
  const own = one.asked_by.id === who.id;
  const place = one.kind === 'campaign' ? '/coupons' : one.kind === 'payout' ? '/shops' : '/residents';
  return (
    <Card>
      <Stack>
        <div class="o-head">
          <Badge tone="brand">{t(`kind.${one.kind}`)}</Badge>
          <State tone={TONE[one.state]}>{t(`approval.${one.state}`)}</State>
        </div>
        <Amount text={money(one.amount)} size="l" />
        <Descriptions
          items={[
            {
              label: t('subject'),
              value: (
                <a class="k-link" href={href(place, { q: one.subject })}>
                  {one.subject_name}
                </a>
              ),
            },
            { label: t('money.reference'), value: <Id id={one.reference} /> },
            { label: t('approval.asked'), value: `${one.asked_by.name ?? one.asked_by.id}${own ? ` (${t('you')})` : ''}` },
            { label: t('time'), value: <When at={one.asked_at} /> },
            { label: t('reason'), value: one.reason || t('none') },
            ...(one.decided_by
              ? [
                  { label: t('approval.decided'), value: one.decided_by.name ?? one.decided_by.id },
                  { label: t('approval.decided.at'), value: <When at={one.decided_at} /> },
                  { label: t('approval.decision'), value: one.decision_reason || t('none') },
                ]
              : []),
            ...(one.outcome ? [{ label: t('why'), value: failureWord(one.outcome) }] : []),
            ...(one.payment ? [{ label: t('payment'), value: <Id id={one.payment} /> }] : []),
          ]}
        />
        {one.state === 'waiting' && own && <Banner icon="eye">{t('approval.own')}</Banner>}
        {one.state === 'waiting' && (
          <Row>
            <Button kind="primary" icon="check" disabled={own} onClick={() => onDecide('approve')}>
              {t('approval.approve')}
            </Button>
            <Button icon="close" disabled={own} onClick={() => onDecide('reject')}>
              {t('approval.reject')}
            </Button>
          </Row>
        )}
      </Stack>
    </Card>
  );
}
