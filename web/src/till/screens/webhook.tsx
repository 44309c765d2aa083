/** One endpoint: its state, its secret, what was sent to it, and sending again. */
import { useState } from 'preact/hooks';
import { c } from '../../common/text';
import { Banner, Button, Card, Cell, DateField, Descriptions, Dialog, Empty, List, Pager, Row, Section, Segmented, Sheet, toast } from '../../kit';
import { cityClock, dateTime, instantOf } from '../../lib/format';
import { useAct, useLoad, usePages } from '../../lib/load';
import { href, replace } from '../../lib/router';
import { type DeliveryState, deleteEndpoint, enableEndpoint, listDeliveries, readEndpoint, replay, rotateSecret } from '../api';
import { DeliveryBadge, EndpointBadge, eventText } from '../badges';
import { Frame } from '../frame';
import { Secret } from '../secret';
import { t } from '../text';
import { Loaded, Refusal } from '../view';

/** How often a replay goes on by itself; some 10,000 events each. */
const REPLAYS_MAX = 20;

/** An hour ago by the city's clocks, as all times here are. */
const hourAgo = (): string => cityClock(Date.now() - 3_600_000).slice(0, 16);

export default function Webhook({ id }: { id: string }) {
  const [state, setState] = useState<DeliveryState | ''>('');
  const [sheet, setSheet] = useState<'replay' | 'rotate' | 'delete'>();
  const [secret, setSecret] = useState<string>();
  const [since, setSince] = useState(hourAgo);
  const endpoint = useLoad((signal) => readEndpoint(id, signal), [id]);
  const log = usePages((cursor, signal) => listDeliveries(id, state || undefined, cursor, signal), [id, state]);
  const enable = useAct(async () => {
    endpoint.set(await enableEndpoint(id));
    toast(t('hooks.enabled'), 'ok');
  });
  const rotate = useAct(async () => {
    setSecret((await rotateSecret(id)).secret);
    setSheet(undefined);
  });
  const remove = useAct(async () => {
    await deleteEndpoint(id);
    replace('/webhooks');
  });
  const again = useAct(async () => {
    let from = instantOf(since).toISOString();
    let events = 0;
    for (let turn = 0; turn < REPLAYS_MAX; turn += 1) {
      const sent = await replay(id, from);
      events += sent.events;
      if (!sent.next) break;
      from = sent.next;
    }
    toast(t('hooks.replayed', { n: events }), 'ok');
    setSheet(undefined);
    log.reload();
  });
  return (
    <Frame title={t('hooks.one')} tab="/more" back={href('/webhooks')}>
      <Loaded load={endpoint} shape="card">
        {(one) => (
          <>
            <Card>
              <strong class="till-id">{one.url}</strong>
              <div>
                <EndpointBadge endpoint={one} />
              </div>
              <Descriptions
                items={[
                  { label: t('hooks.events'), value: one.types.map(eventText).join(t('list.and')) },
                  { label: t('hooks.since'), value: dateTime(one.created_at) },
                  ...(one.failing_since ? [{ label: t('hooks.failing.since'), value: dateTime(one.failing_since) }] : []),
                ]}
              />
              {one.disabled_at && (
                <Banner
                  tone="bad"
                  title={t('hooks.disabled.at', { at: dateTime(one.disabled_at) })}
                  action={
                    <Button small busy={enable.busy} onClick={() => enable.run()}>
                      {t('hooks.enable')}
                    </Button>
                  }
                >
                  {t('hooks.disabled.note')}
                </Banner>
              )}
              <Refusal failure={enable.failure} />
              <Row>
                <Button onClick={() => setSheet('replay')} disabled={Boolean(one.disabled_at)}>
                  {t('hooks.replay')}
                </Button>
                <Button onClick={() => setSheet('rotate')}>
                  {t('hooks.rotate')}
                </Button>
                <Button onClick={() => setSheet('delete')}>{t('hooks.delete')}</Button>
              </Row>
            </Card>
            <Section
              title={t('hooks.log')}
              action={
                <Button kind="quiet" small icon="refresh" onClick={log.reload} busy={log.busy}>
                  {t('hooks.refresh')}
                </Button>
              }
            >
              <Segmented
                label={t('hooks.log.state')}
                value={state}
                options={[{ value: '', label: t('orders.any') }, ...(['pending', 'delivered', 'given_up'] as const).map((value) => ({ value, label: t(`delivery.${value}`) }))]}
                onChange={(value) => setState(value as DeliveryState | '')}
              />
              <Loaded load={{ ...log, failure: log.data ? undefined : log.failure }}>
                {(items) => (
                  <>
                    {items.length === 0 ? (
                      <Empty icon="webhook" title={t('hooks.log.empty')} />
                    ) : (
                      <List label={t('hooks.log')}>
                        {items.map((delivery) => (
                          <Cell
                            key={delivery.event}
                            href={href(`/webhooks/${id}/${delivery.event}`)}
                            title={eventText(delivery.type)}
                            note={
                              delivery.finished_at
                                ? dateTime(delivery.finished_at)
                                : delivery.next_at
                                  ? t('delivery.next', { at: dateTime(delivery.next_at), n: delivery.tries })
                                  : undefined
                            }
                            value={<DeliveryBadge delivery={delivery} />}
                          />
                        ))}
                      </List>
                    )}
                    <Refusal failure={log.failure} />
                    {log.more && <Pager onMore={log.more} busy={log.busy} label={c('more')} />}
                  </>
                )}
              </Loaded>
            </Section>
          </>
        )}
      </Loaded>
      <Sheet open={sheet === 'replay'} onClose={() => setSheet(undefined)} title={t('hooks.replay')} closeLabel={c('close')}>
        <p>{t('hooks.replay.note')}</p>
        <DateField label={t('hooks.replay.since')} type="datetime-local" value={since} onChange={setSince} />
        <Refusal failure={again.failure} />
        <Button kind="primary" block busy={again.busy} disabled={since === ''} onClick={() => again.run()}>
          {t('hooks.replay.do')}
        </Button>
      </Sheet>
      <Dialog
        open={sheet === 'rotate'}
        onClose={() => setSheet(undefined)}
        title={t('hooks.rotate.sure')}
        actions={
          <>
            <Button onClick={() => setSheet(undefined)}>{c('cancel')}</Button>
            <Button kind="primary" busy={rotate.busy} onClick={() => rotate.run()}>
              {t('hooks.rotate')}
            </Button>
          </>
        }
      >
        <p>{t('hooks.rotate.note')}</p>
        <Refusal failure={rotate.failure} />
      </Dialog>
      <Dialog
        open={sheet === 'delete'}
        onClose={() => setSheet(undefined)}
        title={t('hooks.delete.sure')}
        actions={
          <>
            <Button onClick={() => setSheet(undefined)}>{c('cancel')}</Button>
            <Button kind="danger" busy={remove.busy} onClick={() => remove.run()}>
              {t('hooks.delete')}
            </Button>
          </>
        }
      >
        <p>{t('hooks.delete.note')}</p>
        <Refusal failure={remove.failure} />
      </Dialog>
      {secret !== undefined && <Secret secret={secret} title={t('hooks.secret')} note={t('hooks.rotated.note')} onClose={() => setSecret(undefined)} />}
    </Frame>
  );
}
