-- Names as they are typed and as tables of captions or classes write them: with their accents
-- composed. Those of files from a Mac were stored decomposed, and were not found.
update imgsim.image i
set name = normalize(i.name, nfc)
where pg_catalog.getdatabaseencoding() = 'UTF8' and i.name is not nfc normalized;
