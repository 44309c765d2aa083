/** How a late fee comes about, line by line, in words; folded away until it is asked for. */
import { day, money } from '../lib/format';
import { locale } from '../lib/prefs';
import type { FeeLine, Quote } from './api';
import { t } from './text';

/** Basis points as people read them, `0.05%`. */
const rate = (bps: number): string => new Intl.NumberFormat(locale(), { style: 'percent', maximumFractionDigits: 2 }).format(bps / 10_000);

const span = (line: FeeLine): string => (line.from === line.to ? day(line.from) : t('fee.span', { from: day(line.from), to: day(line.to) }));

function why(line: FeeLine, currency: string): string {
  const base = money({ minor: line.base_minor, currency });
  if (line.why === 'daily') return t('fee.daily', { base, rate: rate(line.bps), n: line.days });
  return t(`fee.${line.why}`, { n: line.days });
}

export function FeeLines({ quote }: { quote: Quote }) {
  const { currency } = quote.late_fee;
  const lines = quote.late_fee_lines;
  if (lines.length === 0) return null;
  const workdays = lines.some((line) => line.calendar_version);
  return (
    <details class="fold">
      <summary>{t('fee.how')}</summary>
      <table class="fee">
        <caption class="k-vh">{t('fee.how')}</caption>
        <thead>
          <tr>
            <th scope="col">{t('fee.days')}</th>
            <th scope="col" class="fee-sum">
              {t('fee.sum')}
            </th>
          </tr>
        </thead>
        <tbody>
          {lines.map((line, i) => (
            <tr key={i}>
              <th scope="row">
                <span>{span(line)}</span>
                <span class="muted">{why(line, currency)}</span>
              </th>
              <td class="fee-sum k-num">{money({ minor: line.amount_minor, currency })}</td>
            </tr>
          ))}
        </tbody>
        <tfoot>
          <tr>
            <th scope="row">{t('bill.line.total')}</th>
            <td class="fee-sum k-num">{money(quote.late_fee)}</td>
          </tr>
        </tfoot>
      </table>
      {workdays && <p class="muted">{t('fee.workdays')}</p>}
    </details>
  );
}
