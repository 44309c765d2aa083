/** Every biller's bill files. */
import { Page } from '../kit';
import { useLoad } from '../lib/load';
import { billers } from './api';
import { ImportsTable, useImports } from './imports-table';
import { t } from './text';

export default function Imports() {
  const found = useImports(undefined);
  const names = useLoad(billers, []);
  return (
    <Page title={t('nav.imports')} wide>
      <ImportsTable load={found} billers={names.data?.items ?? []} empty={t('imports.none.all')} />
    </Page>
  );
}
