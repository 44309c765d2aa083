import { c } from '../common/text';
import { Card, Descriptions, Page } from '../kit';
import { Id } from './parts';
import { Prefs } from './settings-fields';
import { t } from './text';
import { useWho } from './who';

export default function Settings() {
  const who = useWho();
  return (
    <Page title={t('nav.settings')} wide>
      <div class="o-narrow">
        <Card title={t('settings.browser')}>
          <Prefs />
        </Card>
        <Card title={t('settings.who')}>
          <Descriptions
            items={[
              { label: t('name'), value: who.name },
              { label: t('role'), value: `${t(`role.${who.role}`)} · ${t(`role.${who.role}.note`)}` },
              { label: t('id'), value: <Id id={who.id} /> },
            ]}
          />
          <p class="o-note">{t('settings.keys', { slash: '/', out: c('sign.out') })}</p>
        </Card>
      </div>
    </Page>
  );
}
