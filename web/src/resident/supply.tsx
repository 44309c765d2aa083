/** How supply to an account stands, where its biller has told of it. */
import { Banner } from '../kit';
import { dateTime, day } from '../lib/format';
import * as api from './api';
import { useKept } from './kept';
import { t } from './text';

export function SupplyBanner({ biller, account }: { biller: string; account: string }) {
  const { data } = useKept(`supply.${biller}.${account}`, (signal) => api.supply(biller, account, signal));
  if (!data || data.state === 'on') return null;
  const order = data.order;
  const note =
    data.state === 'restoring' && order
      ? t('supply.restoring.note', { time: dateTime(order.confirm_by) })
      : data.state === 'cut' && data.since
        ? t('supply.cut.note', { day: day(data.since) })
        : t('supply.cut_announced.note');
  return (
    <Banner tone={data.state === 'cut' ? 'bad' : 'warn'} role="status" title={t(`supply.${data.state}`, { day: data.cut_on ? day(data.cut_on) : '' })}>
      {note}
    </Banner>
  );
}
