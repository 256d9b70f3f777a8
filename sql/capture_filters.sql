-- Which changes are captured, and what of a row is in the payload. Every table is attached twice, at statement and at row level, and
-- both must give the same.
CREATE FUNCTION attach_both("table" regclass, columns text[] DEFAULT NULL, condition text DEFAULT NULL, payload text DEFAULT NULL,
                            payload_columns text[] DEFAULT NULL, key_columns text[] DEFAULT NULL) RETURNS void LANGUAGE sql AS $$
  SELECT pgpubsub.attach("table", g, columns => columns, condition => condition, payload => payload, payload_columns => payload_columns,
                         key_columns => key_columns, granularity => g) FROM unnest('{statement,row}'::text[]) g $$;
-- What was captured at statement level is taken and shown, and whether row level gave the same.
CREATE FUNCTION captured() RETURNS TABLE (op text, key text, old jsonb, new jsonb, same boolean) LANGUAGE sql AS $$
  WITH s AS (SELECT row_number() OVER (ORDER BY id) AS n, payload, key FROM pgpubsub.take('statement', 100000)),
       r AS (SELECT row_number() OVER (ORDER BY id) AS n, payload, key FROM pgpubsub.take('row', 100000))
  SELECT s.payload ->> 'op', s.key, nullif(s.payload -> 'old', 'null'), nullif(s.payload -> 'new', 'null'), (s.payload, s.key) IS NOT DISTINCT FROM (r.payload, r.key)
    FROM s FULL JOIN r USING (n) ORDER BY n $$;
SELECT pgpubsub.create_channel('statement'), pgpubsub.create_channel('row');

CREATE TABLE users (id integer PRIMARY KEY, name text, state text DEFAULT 'new', password text, logins integer DEFAULT 0);

-- columns: of updates, only those that change one of these; the other ways of changing are captured all the same
SELECT attach_both('users', columns => '{name,state}');
SELECT granularity, columns, condition, payload, payload_columns, key_columns FROM pgpubsub.attachments ORDER BY 1;
INSERT INTO users VALUES (1, 'a', NULL, 'secret'), (2, 'b', 'new', 'secret');
UPDATE users SET logins = logins + 1, password = 'other';
UPDATE users SET name = name, state = state;
SELECT op, new ->> 'id' AS id, same FROM captured();
UPDATE users SET name = 'x' || id WHERE id = 1;
UPDATE users SET state = 'old';                            -- from null, and from a value
UPDATE users SET state = NULL WHERE id = 1;
UPDATE users SET state = CASE id WHEN 1 THEN NULL ELSE 'older' END;
DELETE FROM users WHERE id = 2;
INSERT INTO users VALUES (1) ON CONFLICT (id) DO UPDATE SET logins = 9;
INSERT INTO users VALUES (1) ON CONFLICT (id) DO UPDATE SET name = 'conflict';
SELECT op, old - 'password' - 'logins' AS old, new - 'password' - 'logins' AS new, same FROM captured();
-- a change that a BEFORE trigger makes counts, and one that it undoes does not
CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN NEW.state := coalesce(OLD.state, 'touched'); IF NEW.name = 'undo' THEN NEW.name := OLD.name; END IF; RETURN NEW; END $$;
CREATE TRIGGER meddle BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION meddle();
UPDATE users SET logins = 10;
UPDATE users SET name = 'undo', state = 'undo';
SELECT op, old - 'password' AS old, new - 'password' AS new, same FROM captured();
DROP TRIGGER meddle ON users;

-- condition: over OLD and NEW, of which one is a row of nulls for an insert and a delete; only true counts
SELECT attach_both('users', condition => $$NEW.state = 'done' AND OLD.state IS DISTINCT FROM 'done' OR OLD.state = 'done' AND NEW.id IS NULL$$);
SELECT condition FROM pgpubsub.attachments WHERE granularity = 'row';
TRUNCATE users;
INSERT INTO users VALUES (1, 'a', 'done'), (2, 'b', 'new'), (3, 'c', NULL);
UPDATE users SET state = 'done';
UPDATE users SET state = 'new' WHERE id = 1;
DELETE FROM users;
SELECT op, old ->> 'id' AS old, old ->> 'state' AS state, new ->> 'id' AS new, new ->> 'state' AS state, same FROM captured();
-- whole rows; a row of nulls is null
SELECT attach_both('users', condition => 'OLD.* IS DISTINCT FROM NEW.*');
INSERT INTO users VALUES (1, 'a'), (2, 'b');
UPDATE users SET name = 'a';
UPDATE users SET name = 'a';
DELETE FROM users WHERE id = 2;
SELECT op, old ->> 'name' AS old, new ->> 'name' AS new, same FROM captured();
SELECT attach_both('users', condition => 'OLD IS NULL OR NEW IS NULL');
UPDATE users SET name = 'z';
INSERT INTO users VALUES (3, 'c');
DELETE FROM users WHERE id = 3;
SELECT op, old ->> 'name' AS old, new ->> 'name' AS new, same FROM captured();
-- together with columns both must be so; a constant; null
SELECT attach_both('users', columns => '{name}', condition => 'NEW.logins > 0');
UPDATE users SET name = 'y';
UPDATE users SET logins = 1;
UPDATE users SET name = 'x';
INSERT INTO users (id, logins) VALUES (4, 1), (5, 0);
SELECT op, old ->> 'name' AS old, new ->> 'name' AS new, same FROM captured();
SELECT attach_both('users', condition => 'true');
UPDATE users SET name = 'w' WHERE id = 1;
SELECT op, old ->> 'name' AS old, new ->> 'name' AS new, same FROM captured();
SELECT attach_both('users', condition => 'NULL::boolean');
UPDATE users SET name = 'v' WHERE id = 1;
SELECT op, old ->> 'name' AS old, new ->> 'name' AS new, same FROM captured();
-- functions of the user's; what they raise ends the statement, and it is said where it happened
CREATE FUNCTION important(u users) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RETURN u.logins >= (SELECT max(logins) FROM public.users); END $$;
SELECT attach_both('users', condition => 'important(NEW) AND 10 / NEW.logins > 0');
INSERT INTO users (id, logins) VALUES (6, 3), (7, 2), (8, 3);
SELECT op, new ->> 'id' AS id, same FROM captured();
UPDATE users SET logins = 0;
SELECT count(*) FROM users WHERE logins = 0;
-- replaced in the meantime
CREATE OR REPLACE FUNCTION important(u users) RETURNS boolean LANGUAGE sql AS $$ SELECT u.id = 7 $$;
UPDATE users SET logins = 5 WHERE id > 5;
SELECT op, new ->> 'id' AS id, same FROM captured();
SELECT attach_both('users');
DROP FUNCTION important;

-- payload: of each kind of change
CREATE FUNCTION change() RETURNS void LANGUAGE sql AS $$
  TRUNCATE users;
  INSERT INTO users VALUES (1, 'a', 'new', 'secret'), (2, 'b', NULL, 'secret');
  UPDATE users SET name = name || '+', state = NULL;
  UPDATE users SET password = 'more secret' WHERE id = 1;
  UPDATE users SET id = 3, logins = 1 WHERE id = 2;
  UPDATE users SET state = state WHERE id = 1;
  DELETE FROM users; $$;
SELECT attach_both('users', payload => 'full');
SELECT change(); SELECT * FROM captured();
SELECT attach_both('users', payload => 'new');
SELECT change(); SELECT * FROM captured();
SELECT attach_both('users', payload => 'changed');
SELECT change(); SELECT * FROM captured();
SELECT attach_both('users', payload => 'key');
SELECT change(); SELECT * FROM captured();

-- payload_columns: a secret is in no part of any payload
SELECT attach_both('users', payload_columns => '{id,name,state}');
SELECT change(); SELECT * FROM captured();
SELECT attach_both('users', payload_columns => '{name,state}', payload => 'new');
SELECT change(); SELECT * FROM captured();
SELECT attach_both('users', payload_columns => '{state,id}', payload => 'changed');
SELECT change(); SELECT * FROM captured();
-- nor is a key column that is not among them, or the one by which it is known that the row changed
SELECT attach_both('users', payload_columns => '{name}', payload => 'changed', columns => '{password,id}', condition => 'NEW.password > ''''', key_columns => '{id}');
SELECT change(); SELECT * FROM captured();

-- key_columns: one is its text, several are an array; of a deleted row the old ones, of a null there is none
SELECT attach_both('users', key_columns => '{name}', payload => 'key');
SELECT change(); SELECT * FROM captured();
INSERT INTO users (id) VALUES (1);
SELECT * FROM captured();
SELECT attach_both('users', key_columns => '{state,id}', payload_columns => '{name}');
UPDATE users SET id = 2, state = E'it''s "new"\n';
SELECT * FROM captured();
TRUNCATE users;
-- beside an ordered channel's own order, which they replace
SELECT attach_both('users');
SELECT pgpubsub.create_channel('ordered', ordered => true);
SELECT pgpubsub.attach('users', 'ordered', key_columns => '{state}', payload_columns => '{id}');
SELECT change();
SELECT op, key, same FROM captured();
SELECT key, payload ->> 'op' AS op, payload -> 'old' AS old, payload -> 'new' AS new FROM pgpubsub.notifications ORDER BY id;
SELECT pgpubsub.detach('users', 'ordered');

-- a truncate asks for no condition
SELECT pgpubsub.attach('users', 'ordered', '{truncate,insert}', condition => 'NEW.id > 0', payload_columns => '{id}');
SELECT pgpubsub.purge_channel('ordered');
INSERT INTO users (id) VALUES (0), (1);
TRUNCATE users;
SELECT payload - 'context' AS payload, key FROM pgpubsub.take('ordered', 10) o ORDER BY o.id;

DROP TABLE users;
DROP FUNCTION attach_both, captured, change, meddle;
SELECT pgpubsub.drop_channel(name) FROM (SELECT name FROM pgpubsub.channels) c;
