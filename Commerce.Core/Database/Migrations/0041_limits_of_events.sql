-- Events of earlier versions have no limit. The previous version ignores limits of events, so set the first one after a deployment has finished.
ALTER TABLE event ADD COLUMN max_per_customer INT NULL COMMENT 'Units of each of its products for one customer while it is open. Null: no limit.', ALGORITHM=INSTANT;
