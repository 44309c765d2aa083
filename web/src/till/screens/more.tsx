/** Everything that is not done at every sale. */
import { Card, Cell, List, Section } from '../../kit';
import { href } from '../../lib/router';
import { Frame } from '../frame';
import { can, useMe } from '../me';
import { t } from '../text';

export default function More() {
  const { shop, role } = useMe();
  return (
    <Frame title={t('nav.more')} tab="/more">
      <Card>
        <strong>{shop.name}</strong>
        <span class="till-note">
          {t('more.role', { role: t(`role.${role}`), fee: (shop.fee_bp / 100).toFixed(2) })}
        </span>
        {shop.closed_at && <span class="till-note">{t('more.closed')}</span>}
      </Card>
      <Section title={t('more.shop')}>
        <List>
          <Cell icon="ledger" title={t('statements.title')} note={t('more.statements.note')} href={href('/statements')} />
          <Cell icon="qr" title={t('poster.title')} note={t('more.poster.note')} href={href('/poster')} />
        </List>
      </Section>
      {can('admin') && (
        <Section title={t('more.admin')}>
          <List>
            <Cell icon="till" title={t('tills.title')} note={t('more.tills.note')} href={href('/tills')} />
            <Cell icon="key" title={t('keys.title')} note={t('more.keys.note')} href={href('/keys')} />
            <Cell icon="webhook" title={t('hooks.title')} note={t('more.hooks.note')} href={href('/webhooks')} />
          </List>
        </Section>
      )}
      <Section title={t('more.device')}>
        <List>
          <Cell icon="settings" title={t('settings.title')} note={t('more.settings.note')} href={href('/settings')} />
        </List>
      </Section>
    </Frame>
  );
}
