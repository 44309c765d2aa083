/** One movement, or the receipt of one bill: to be read, printed, and for bills saved as PDF. */
import type { ComponentChildren } from 'preact';
import { Amount, Button, Card, Row } from '../../kit';
import { call, download } from '../../lib/call';
import { dateTime, money, month } from '../../lib/format';
import { useAct } from '../../lib/load';
import type { ScreenProps } from '../app';
import * as api from '../api';
import { useKept } from '../kept';
import { couponRows } from '../coupon';
import { Facts } from '../paying';
import { SubScreen } from '../screen';
import { named } from '../services';
import { Loaded, Refused } from '../states';
import { t } from '../text';

export default function ReceiptScreen({ params, query }: ScreenProps) {
  const id = params.id ?? '';
  const bill = query.get('kind') === 'bill_payment';
  return (
    <SubScreen title={t(bill ? 'receipt.title' : 'receipt.movement')} back={bill ? '#/history?show=bills' : '#/history'}>
      {bill ? <BillReceipt id={id} /> : <Movement id={id} />}
    </SubScreen>
  );
}

function Head({ name, amount, state }: { name: string; amount: string; state: string }) {
  return (
    <div class="receipt-head">
      <p>{name}</p>
      <Amount text={amount} size="xl" />
      <p class="muted">{state}</p>
    </div>
  );
}

function BillReceipt({ id }: { id: string }) {
  const receipt = useKept<api.Receipt>(`receipt.${id}`, (signal) => call('get', '/v1/bill-payments/{id}', { path: { id }, signal }));
  const pdf = useAct(() => download(`/v1/bill-payments/${encodeURIComponent(id)}/receipt.pdf`, `${id}.pdf`));
  return (
    <Loaded of={receipt} shape="card">
      {(one) => (
        <>
          <Card>
            <Head name={named(one.biller_name)} amount={money(one.payment.amount)} state={t(one.payment.state === 'pending' ? 'result.pending' : 'result.paid')} />
            <Facts
              rows={[
                [t('account.number'), <span class="k-num">{one.account_no}</span>],
                [t('bill.holder'), one.holder],
                [t('bill.number'), <span class="k-num">{one.bill_no}</span>],
                ...(one.period ? ([[t('bill.period'), month(one.period)]] as [string, string][]) : []),
                [t('bill.line.amount'), money({ ...one.payment.amount, minor: one.payment.amount.minor - one.payment.late_fee.minor })],
                [t('bill.line.fee'), money(one.payment.late_fee)],
                [t('pay.time'), dateTime(one.payment.at)],
                [t('pay.source'), t('pay.wallet')],
                [t('receipt.id'), <span class="k-num break">{one.payment.id}</span>],
              ]}
            />
          </Card>
          <div class="no-print">
            <Refused failure={pdf.failure} />
            <Row>
              <Button icon="download" busy={pdf.busy} onClick={() => pdf.run()}>
                {t('receipt.pdf')}
              </Button>
              <Button icon="print" onClick={() => print()}>
                {t('receipt.print')}
              </Button>
            </Row>
          </div>
        </>
      )}
    </Loaded>
  );
}

function Movement({ id }: { id: string }) {
  const found = useKept(`movement.${id}`, (signal) => api.movement(id, signal));
  return (
    <Loaded of={found} shape="card">
      {(one) => {
        const kind = t(`kind.${one.kind}` as 'kind.deposit');
        return (
          <>
            <Card>
              <Head
                name={one.other_name || kind}
                amount={money({ ...one.amount, minor: one.direction === 'out' ? -one.amount.minor : one.amount.minor }, 'always')}
                state={t('result.done')}
              />
              <Facts
                rows={[
                  [t('receipt.kind'), kind],
                  ...(one.subject ? ([[t('pay.note'), one.subject]] as [string, string][]) : []),
                  ...(one.order_no ? ([[t('pay.order'), <span class="k-num break">{one.order_no}</span>]] as [string, ComponentChildren][]) : []),
                  ...(one.coupon ? couponRows(one.amount, one.coupon, one.kind === 'trade_payment') : []),
                  ...(one.refunded?.minor ? ([[t('receipt.refunded'), money(one.refunded)]] as [string, string][]) : []),
                  [t('pay.time'), dateTime(one.at)],
                  [t('receipt.id'), <span class="k-num break">{one.id}</span>],
                ]}
              />
            </Card>
            <div class="no-print">
              <Row>
                <Button icon="print" onClick={() => print()}>
                  {t('receipt.print')}
                </Button>
              </Row>
            </div>
          </>
        );
      }}
    </Loaded>
  );
}
