/** Collecting: a code of one's own, with an amount or without. */
import { useState } from 'preact/hooks';
import { c } from '../../common/text';
import { Amount, AmountInput, Button, CodeCard, Sheet, Stack } from '../../kit';
import { Qr } from '../../lib/codes';
import { money, parseAmount, places } from '../../lib/format';
import * as api from '../api';
import { useKept } from '../kept';
import { SubScreen } from '../screen';
import { useMe, useSession } from '../state';
import { Loaded } from '../states';
import { t } from '../text';
import { sign } from '../paying';

export default function Collect() {
  const me = useMe();
  const currency = me.data?.no_pin_limit.currency ?? 'CNY';
  const [minor, setMinor] = useState<number>();
  const [asking, setAsking] = useState(false);
  const [typed, setTyped] = useState('');
  const wanted = parseAmount(typed, currency);
  const take = () => {
    if (!wanted) return;
    setMinor(wanted);
    setAsking(false);
  };
  return (
    <SubScreen title={t('home.collect')} back="#/">
      <Code key={minor} minor={minor} currency={currency} />
      <p class="center">
        <Button
          kind="quiet"
          onClick={() => {
            if (minor === undefined) setAsking(true);
            else setMinor(undefined);
          }}
        >
          {t(minor === undefined ? 'collect.set' : 'collect.clear')}
        </Button>
      </p>
      <p class="center muted">{t('collect.note')}</p>
      <Sheet open={asking} onClose={() => setAsking(false)} title={t('collect.set')} closeLabel={c('close')}>
        <form
          onSubmit={(e) => {
            e.preventDefault();
            take();
          }}
        >
          <Stack>
            <AmountInput
              label={t('pay.amount')}
              currency={sign(currency)}
              decimals={places(currency)}
              value={typed}
              onInput={setTyped}
              onEnter={take}
              ownKeys
              error={typed !== '' && wanted === undefined ? c('error.amount_unacceptable') : undefined}
            />
            <Button kind="primary" type="submit" block disabled={!wanted}>
              {c('ok')}
            </Button>
          </Stack>
        </form>
      </Sheet>
    </SubScreen>
  );
}

/** The kept code without an amount serves without a network; one with an amount is made when it is asked for. */
function Code({ minor, currency }: { minor: number | undefined; currency: string }) {
  const session = useSession();
  const code = useKept(minor === undefined ? 'collect' : `collect.${minor}`, (signal) => api.personalCode(minor, signal));
  return (
    <Loaded of={code} shape="code">
      {(payload) => (
        <CodeCard
          title={t('collect.lead')}
          note={
            <div class="collect-note">
              {session.at === 'in' && <p>{session.who.name}</p>}
              {minor !== undefined && <Amount text={money({ minor, currency })} size="l" />}
            </div>
          }
        >
          <Qr text={payload} label={t('collect.qr')} />
        </CodeCard>
      )}
    </Loaded>
  );
}
