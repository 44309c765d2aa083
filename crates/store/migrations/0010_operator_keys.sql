-- With which key an operator made another operator's key: whoever has that key may have seen the new one too. Empty for
-- the key of an operator made on the server itself, of a shop or a biller, and of whatever was made before this column.
ALTER TABLE api_key ADD COLUMN made_with BYTEA;
