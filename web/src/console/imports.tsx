/** Every biller's bill files. */
import { Page } from '../kit';
import { ImportsTable, useImports } from './imports-table';
import { t } from './text';

export default function Imports() {
  const found = useImports(undefined);
  return (
    <Page title={t('nav.imports')} wide>
      <ImportsTable load={found} empty={t('imports.none.all')} />
    </Page>
  );
}
