/** One message to the shop's server: the text, every try, and sending it again. */
import { Badge, Button, Card, Cell, Descriptions, Empty, List, Section, toast } from '../../kit';
import { dateTime, number } from '../../lib/format';
import { useAct, useLoad } from '../../lib/load';
import { href } from '../../lib/router';
import { readDelivery, resend } from '../api';
import { DeliveryBadge, eventText } from '../badges';
import { Frame } from '../frame';
import { t } from '../text';
import { Loaded, Refusal } from '../view';

function pretty(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

export default function DeliveryScreen({ id, event }: { id: string; event: string }) {
  const log = useLoad((signal) => readDelivery(id, event, signal), [id, event]);
  const again = useAct(async () => {
    await resend(id, event);
    toast(t('delivery.resent'), 'ok');
    setTimeout(log.reload, 1_500);
  });
  return (
    <Frame title={t('delivery.title')} tab="/more" back={href(`/webhooks/${id}`)}>
      <Loaded load={log} shape="card">
        {({ delivery, attempts, body }) => (
          <>
            <Card>
              <strong>{eventText(delivery.type)}</strong>
              <div>
                <DeliveryBadge delivery={delivery} />
              </div>
              <Descriptions
                items={[
                  { label: t('delivery.event'), value: <span class="till-id">{delivery.event}</span> },
                  { label: t('order.trade'), value: <a class="k-link till-id" href={href(`/orders/${delivery.trade}`)}>{delivery.trade}</a> },
                  ...(delivery.next_at ? [{ label: t('delivery.next.label'), value: dateTime(delivery.next_at) }] : []),
                  ...(delivery.finished_at ? [{ label: t('delivery.finished'), value: dateTime(delivery.finished_at) }] : []),
                ]}
              />
              <Button icon="refresh" busy={again.busy} onClick={() => again.run()}>
                {t('delivery.resend')}
              </Button>
              <Refusal failure={again.failure} />
            </Card>
            <Section title={t('delivery.tries')}>
              {attempts.length === 0 ? (
                <Empty icon="history" title={t('delivery.tries.none')} />
              ) : (
                <List>
                  {[...attempts].reverse().map((one) => (
                    <Cell
                      key={one.started_at}
                      title={dateTime(one.started_at)}
                      note={[t('delivery.took', { ms: number(one.duration_ms) }), one.error ?? ''].filter(Boolean).join('\u00a0· ')}
                      value={<Badge tone={one.error ? 'bad' : 'ok'}>{one.status ? String(one.status) : t('delivery.no.answer')}</Badge>}
                    />
                  ))}
                </List>
              )}
            </Section>
            <Section title={t('delivery.body')}>
              <pre class="till-body k-mono" tabIndex={0}>
                {pretty(body)}
              </pre>
            </Section>
          </>
        )}
      </Loaded>
    </Frame>
  );
}
