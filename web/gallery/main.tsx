// Every component of the kit in every state, to be looked at while it is worked on; not part of what is shipped.
// ?theme=dark&contrast=high&elder=1 set what the apps' settings set; ?part=console|pin|amount|sheet|dialog one screen.
import { render } from 'preact';
import { useState } from 'preact/hooks';
import * as k from '../src/kit';
import './gallery.css';
import { iconNames } from '../src/kit/icon';

const query = new URLSearchParams(location.search);
const root = document.documentElement;
if (query.get('theme')) root.dataset.theme = query.get('theme')!;
if (query.get('contrast')) root.dataset.contrast = query.get('contrast')!;
if (query.get('elder')) root.dataset.elder = '';
const part = query.get('part') ?? 'all';

const tones: k.Tone[] = ['neutral', 'brand', 'ok', 'warn', 'bad'];
const services: k.NavItem[] = [
  { href: '#/water', label: '水费', icon: 'water' },
  { href: '#/power', label: '电费', icon: 'power', badge: 1 },
  { href: '#/gas', label: 'Natural gas', icon: 'gas' },
  { href: '#/heating', label: '采暖费', icon: 'heating' },
  { href: '#/broadband', label: 'Broadband', icon: 'broadband' },
  { href: '#/mobile', label: '手机充值', icon: 'mobile' },
  { href: '#/property', label: '物业管理费', icon: 'property' },
  { href: '#/fine', label: '交通违法缴款', icon: 'fine', badge: '新' },
];
const tabs: k.NavItem[] = [
  { href: '#/', label: '首页', icon: 'home' },
  { href: '#/bills', label: '账单', icon: 'bill', badge: 2 },
  { href: '#/history', label: 'History', icon: 'history' },
  { href: '#/me', label: '我的', icon: 'me' },
];
const side: k.NavItem[] = [
  { href: '#/live', label: 'Live city', icon: 'city' },
  { href: '#/billers', label: 'Billers and packs', icon: 'bill' },
  { href: '#/people', label: '居民与商户', icon: 'people' },
  { href: '#/approvals', label: 'Approvals', icon: 'check', badge: 3 },
  { href: '#/settlement', label: '清算与差错', icon: 'settlement' },
  { href: '#/audit', label: 'Audit trail', icon: 'ledger' },
];

/** A pattern in place of a QR code. */
function Pattern() {
  const cells = [];
  for (let i = 0; i < 21 * 21; i++)
    if (((i * 2654435761) >>> 13) % 5 < 2) cells.push(`M${i % 21} ${Math.floor(i / 21)}h1v1h-1z`);
  return (
    <svg viewBox="0 0 21 21" role="img" aria-label="A code">
      <path d={cells.join('')} fill="#1b2123" />
    </svg>
  );
}

const keypad = { pad: '数字键盘', backspace: '退格' };
const pinLabels = { ...keypad, count: (n: number, of: number) => `已输入 ${n} 位，共 ${of} 位` };

interface Trade {
  id: string;
  at: string;
  shop: string;
  amount: string;
  state: 'ok' | 'warn' | 'bad';
}
const trades: Trade[] = [
  { id: '1', at: '09-28 12:30', shop: '老王牛肉面', amount: '¥28.00', state: 'ok' },
  {
    id: '2',
    at: '09-28 12:31',
    shop: 'The Very Long Named Municipal Bookshop & Stationery Company (Riverside)',
    amount: '¥1,234,567.89',
    state: 'warn',
  },
  { id: '3', at: '09-28 12:35', shop: '新华书店', amount: '¥56.10', state: 'bad' },
];

function Trades({ rows }: { rows: Trade[] }) {
  const [dir, setDir] = useState<'asc' | 'desc'>('asc');
  return (
    <k.Table
      caption="Trades"
      columns={[
        { key: 'at', label: 'Time', cell: (t) => t.at, sortable: true },
        { key: 'shop', label: 'Shop', cell: (t) => t.shop },
        {
          key: 'state',
          label: 'State',
          cell: (t) => (
            <k.Badge tone={t.state}>
              {t.state === 'ok' ? 'Paid' : t.state === 'warn' ? 'Waiting' : 'Refused'}
            </k.Badge>
          ),
        },
        {
          key: 'amount',
          label: 'Amount',
          align: 'end',
          cell: (t) => <k.Amount text={t.amount} />,
          sortable: true,
        },
        { key: 'act', label: 'Acts', hideLabel: true, cell: () => <k.Button small>Refund</k.Button> },
      ]}
      rows={rows}
      rowKey={(t) => t.id}
      onRow={(t) => k.toast(`Row ${t.id}`)}
      sort={{ key: 'at', dir, onSort: () => setDir(dir === 'asc' ? 'desc' : 'asc') }}
      empty={<k.Empty icon="history" title="No trades yet" note="They appear here as they are paid." />}
    />
  );
}

function Stats() {
  return (
    <k.Columns min="s">
      <k.Stat label="Payments per second" value="1,204" note="peak 1,980">
        <k.Sparkline values={[3, 5, 4, 8, 7, 9, 6, 11, 12, 9, 14]} label="Rising over the last hour" />
      </k.Stat>
      <k.Stat label="Success rate" value="99.98 %" tone="ok" />
      <k.Stat label="Refused" value="42" tone="warn" note="ten more than an hour ago" />
      <k.Stat label="今日交易额" value="¥12,345,678.90" />
    </k.Columns>
  );
}

const months = [312, 280, 295, 240, 198, 190, 260, 305, 240, 210, 230, 340].map((v, i) => ({
  label: `${i + 1}月`,
  value: v,
  text: `¥${v}.00`,
}));

function Figures() {
  return (
    <k.Columns>
      <k.Card>
        <k.ChartFrame
          title="Paid by month"
          note="2026"
          summary="Most in December, ¥340.00; least in June, ¥190.00."
        >
          <k.Bars items={months} />
        </k.ChartFrame>
      </k.Card>
      <k.Card>
        <k.ChartFrame title="By channel" summary="Codes shown by shops lead." hideSummary>
          <k.Bars
            rows
            items={[
              { label: 'Code shown by the shop', value: 610, text: '61.0 %' },
              { label: '付款码', value: 310, text: '31.0 %' },
              { label: 'Bill', value: 80, text: '8.0 %' },
            ]}
          />
        </k.ChartFrame>
      </k.Card>
    </k.Columns>
  );
}

function Form() {
  const [text, setText] = useState('');
  const [city, setCity] = useState('hz');
  const [on, setOn] = useState(true);
  const [seg, setSeg] = useState('day');
  const [date, setDate] = useState('2026-09-28');
  const [find, setFind] = useState('自来水');
  return (
    <k.Stack>
      <k.Search
        label="Find a biller"
        value={find}
        onInput={setFind}
        placeholder="Name or place"
        clearLabel="Clear"
      />
      <k.TextField
        label="户号"
        value={text}
        onInput={setText}
        hint="10 位数字，例如 3301 0012 34"
        mono
        inputMode="numeric"
        placeholder="3301001234"
      />
      <k.TextField
        label="Phone"
        value="1380013"
        onInput={() => {}}
        error="A phone number has eleven digits; this one has seven."
        type="tel"
        before={<span>+86</span>}
        required
      />
      <k.TextField
        label="Password-like"
        optionalLabel="(optional)"
        type="password"
        value="secret"
        onInput={() => {}}
        after={<k.Button kind="quiet" icon="eye" label="Show" />}
      />
      <k.TextField label="Disabled" value="Not now" onInput={() => {}} disabled />
      <k.SelectField
        label="City"
        value={city}
        onChange={setCity}
        options={[
          { value: 'hz', label: '杭州市' },
          { value: 'cd', label: '成都市' },
        ]}
      />
      <k.TextArea label="Pack" value={'[biller]\ncode = "hz-water"'} onInput={() => {}} mono rows={3} />
      <k.DateField label="From" value={date} onChange={setDate} />
      <k.FileField
        label="Bill file"
        buttonLabel="Choose a file"
        fileName="bills-2026-09-28.csv"
        onFiles={() => {}}
        hint="CSV, up to 100 MB"
      />
      <k.Segmented
        label="Range"
        value={seg}
        onChange={setSeg}
        options={[
          { value: 'day', label: '日' },
          { value: 'week', label: 'Week' },
          { value: 'month', label: '本月' },
        ]}
        showLabel
      />
      <k.Checkbox
        label="Remember this account"
        note="It stays on your list of bills."
        checked={on}
        onChange={setOn}
      />
      <k.Checkbox label="Unticked" checked={false} onChange={() => {}} />
      <k.Checkbox label="Disabled" checked disabled onChange={() => {}} />
      <k.List label="Switches">
        <k.Switch label="到账语音播报" note="Read out when money arrives" checked={on} onChange={setOn} />
        <k.Switch label="Off" checked={false} onChange={() => {}} />
        <k.Switch label="Disabled" checked={false} disabled onChange={() => {}} />
      </k.List>
    </k.Stack>
  );
}

function Overlays() {
  const [open, setOpen] = useState(part === 'sheet' || part === 'dialog' ? part : '');
  return (
    <k.Row>
      <k.Button onClick={() => setOpen('sheet')}>Sheet</k.Button>
      <k.Button onClick={() => setOpen('dialog')}>Dialog</k.Button>
      <k.Button onClick={() => k.toast('已复制')}>Toast</k.Button>
      <k.Button onClick={() => k.toast('Paid ¥28.00', 'ok')}>ok</k.Button>
      <k.Button onClick={() => k.toast('The network is gone. What you sent is asked for again.', 'bad')}>
        bad
      </k.Button>
      <k.Sheet open={open === 'sheet'} onClose={() => setOpen('')} title="确认付款" closeLabel="关闭">
        <k.Amount text="¥28.00" size="xl" />
        <k.Descriptions
          items={[
            { label: '收款方', value: '老王牛肉面（文三路店）' },
            { label: 'Source', value: 'Wallet' },
          ]}
        />
        <k.Button kind="primary" block onClick={() => setOpen('')}>
          付款
        </k.Button>
      </k.Sheet>
      <k.Dialog
        open={open === 'dialog'}
        onClose={() => setOpen('')}
        title="Close the shop 老王牛肉面?"
        actions={
          <>
            <k.Button onClick={() => setOpen('')}>Keep it</k.Button>
            <k.Button kind="danger" onClick={() => setOpen('')}>
              Close it
            </k.Button>
          </>
        }
      >
        <p>Its codes are refused from now on. What it has taken is still settled tonight.</p>
        <k.TextField label="Reason" value="" onInput={() => {}} focus />
      </k.Dialog>
    </k.Row>
  );
}

function All() {
  return (
    <k.Page
      title="一码 · Kit of parts"
      back="#/"
      backLabel="Back"
      actions={<k.Button kind="quiet" icon="settings" label="Settings" />}
      footer={<k.TabBar items={tabs} current="#/" label="Main" />}
    >
      <k.Card>
        <span>Balance</span>
        <k.Amount text="¥12,345,678.90" size="xl" />
        <k.Row>
          {(['s', 'm', 'l'] as const).map((s) => (
            <k.Amount key={s} text="¥1,280.50" size={s} />
          ))}
          <k.Amount text="+¥88.00" size="l" tone="ok" />
          <k.Amount text="−¥88.00" size="l" tone="bad" />
        </k.Row>
      </k.Card>
      <k.Section title="Services" action={<k.Button kind="quiet">全部</k.Button>}>
        <k.Card>
          <k.Tiles items={services} label="Services" />
        </k.Card>
      </k.Section>
      <k.Section title="Buttons">
        <k.Row>
          {(['primary', 'plain', 'quiet', 'danger'] as const).map((kind) => (
            <k.Button key={kind} kind={kind}>
              {kind}
            </k.Button>
          ))}
        </k.Row>
        <k.Row>
          {(['primary', 'plain', 'quiet', 'danger'] as const).map((kind) => (
            <k.Button key={kind} kind={kind} disabled>
              {kind}
            </k.Button>
          ))}
        </k.Row>
        <k.Row>
          {(['primary', 'plain', 'quiet', 'danger'] as const).map((kind) => (
            <k.Button key={kind} kind={kind} busy>
              {kind}
            </k.Button>
          ))}
        </k.Row>
        <k.Row>
          <k.Button icon="scan" kind="primary">
            扫一扫
          </k.Button>
          <k.Button icon="torch" label="Torch" pressed />
          <k.Button icon="torch" label="Torch, off" pressed={false} />
          <k.Button small icon="download">
            Small
          </k.Button>
          <k.Button href="#/x" icon="qr">
            A link
          </k.Button>
        </k.Row>
        <k.Button kind="primary" block>
          付款 ¥28.00
        </k.Button>
        <p>
          Text with a <k.Link href="#/x">link in it</k.Link> and{' '}
          <k.Link href="https://example.com" externalLabel="(opens elsewhere)">
            one that leads out
          </k.Link>
          .
        </p>
      </k.Section>
      <k.Section title="List" action={<k.Badge tone="warn">2 due</k.Badge>}>
        <k.List label="Cells">
          <k.Cell
            icon="power"
            title="电费 · 城北供电所"
            note="户号 3301 0012 34"
            value={<k.Amount text="¥128.60" />}
            href="#/x"
          />
          <k.Cell
            icon="water"
            title="A biller with a name that goes on for much longer than the line has room"
            value="¥1,234,567.89"
            href="#/x"
            tone="warn"
            note="Overdue since 1 September"
          />
          <k.Cell title="Phone" value="138****8000" />
          <k.Cell title="Sign out" tone="bad" icon="logout" onClick={() => {}} />
          <k.Cell title="Add an account" tone="brand" icon="plus" onClick={() => {}} />
          <k.Cell
            title="With a control beside it"
            note="Pressed apart"
            href="#/x"
            trailing={<k.Button kind="quiet" icon="more" label="More" />}
          />
        </k.List>
      </k.Section>
      <k.Section title="States">
        {tones.map((t) => (
          <k.Banner
            key={t}
            tone={t}
            title={t === 'bad' ? 'Not sent' : undefined}
            action={t === 'warn' || t === 'bad' ? <k.Button small>Try again</k.Button> : undefined}
          >
            网络已断开，付款码仍可使用。 What was sent is asked for again, never sent twice.
          </k.Banner>
        ))}
        <k.Row>
          {tones.map((t) => (
            <k.Badge key={t} tone={t}>
              {t} 已付
            </k.Badge>
          ))}
        </k.Row>
        <k.Columns>
          {tones.slice(1).map((t) => (
            <k.Card key={t} title={`Card ${t}`} tone={t}>
              <p>With a line of text in it.</p>
            </k.Card>
          ))}
        </k.Columns>
        <k.Card>
          <k.Steps
            items={[
              { label: 'Asked', note: '12:30:01', state: 'done', stateLabel: 'done' },
              { label: 'At the biller', note: 'It answers within a minute', state: 'now', stateLabel: 'now' },
              { label: 'Posted', state: 'todo' },
              { label: 'Refused', state: 'failed', note: 'The account is closed.', stateLabel: 'failed' },
            ]}
          />
        </k.Card>
        <k.Columns>
          <k.Empty
            icon="bill"
            title="没有待缴账单"
            note="添加户号后，新账单会出现在这里。"
            action={<k.Button kind="primary">Add an account</k.Button>}
          />
          <k.Empty icon="check" tone="ok" title="Paid" />
          <k.Empty icon="offline" tone="bad" title="No network" note="What is shown may be old." />
        </k.Columns>
        <k.Columns>
          <k.Skeleton label="Loading" />
          <k.Skeleton shape="list" lines={2} />
          <k.Skeleton shape="card" />
          <k.Skeleton shape="tiles" />
        </k.Columns>
      </k.Section>
      <k.Section title="Code">
        <k.CodeCard title="付款码" note="Shown to the shop's camera; new in 24 s">
          <Pattern />
        </k.CodeCard>
      </k.Section>
      <k.Section title="Fields">
        <k.Card>
          <Form />
        </k.Card>
      </k.Section>
      <k.Section title="Data">
        <Stats />
        <Trades rows={trades} />
        <Trades rows={[]} />
        <k.Pager label="更多" onMore={() => {}} />
        <k.Card>
          <k.Descriptions
            items={[
              { label: '订单号', value: 'ord_01hzx3y7k8w9q2r4t6v8x0z2b4' },
              { label: 'Shop', value: 'The Very Long Named Municipal Bookshop & Stationery Company' },
              { label: '金额', value: <k.Amount text="¥56.10" /> },
            ]}
          />
        </k.Card>
        <Figures />
      </k.Section>
      <k.Section title="Above the page">
        <Overlays />
      </k.Section>
      <k.Section title="Icons">
        <ul class="k-tiles" role="list">
          {iconNames.map((n) => (
            <li key={n}>
              <span class="gallery-icon">
                <k.Icon name={n} />
                {n}
              </span>
            </li>
          ))}
        </ul>
      </k.Section>
    </k.Page>
  );
}

function Till() {
  const [value, setValue] = useState('12.5');
  return (
    <k.Page title="收款" back={() => {}} backLabel="Back">
      <k.AmountInput
        label="金额"
        currency="¥"
        value={value}
        onInput={setValue}
        placeholder="0.00"
        error={Number(value) > 5000 ? '单笔不超过 ¥5,000.00' : undefined}
        hint="Up to ¥5,000.00"
      />
      <k.Keypad
        labels={keypad}
        decimal
        doneLabel="收款"
        onKey={(key) => setValue((v) => k.typeAmount(v, key))}
        onDone={() => k.toast(value)}
        doneDisabled={!Number(value)}
      />
    </k.Page>
  );
}

function Pin() {
  const [error, setError] = useState(query.get('error') ?? '');
  const [busy, setBusy] = useState(false);
  return (
    <k.Page title="PIN">
      <k.PinPad
        title="输入支付密码"
        note={<k.Amount text="¥28.00" size="xl" />}
        labels={pinLabels}
        busy={busy}
        error={error}
        onComplete={() => {
          setBusy(true);
          setTimeout(() => {
            setBusy(false);
            setError('密码不正确，还可输入 4 次');
          }, 600);
        }}
      />
    </k.Page>
  );
}

function Console() {
  return (
    <k.Shell
      nav={
        <k.SideNav
          items={side}
          current="#/live"
          label="Main"
          head={<strong>一码 Yima</strong>}
          foot={
            <k.Button kind="quiet" icon="logout">
              Sign out
            </k.Button>
          }
        />
      }
    >
      <k.Page
        title="Live city"
        wide
        actions={
          <k.Button icon="refresh" small>
            Refresh
          </k.Button>
        }
      >
        <k.Banner tone="ok">Both ledgers agree; last checked 12:30:01.</k.Banner>
        <Stats />
        <Trades rows={trades} />
        <Figures />
      </k.Page>
    </k.Shell>
  );
}

render(
  <>
    {part === 'console' ? <Console /> : part === 'amount' ? <Till /> : part === 'pin' ? <Pin /> : <All />}
    <k.Toasts />
  </>,
  document.getElementById('app')!,
);
