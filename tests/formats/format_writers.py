"""Small writers of every format that is read: one made-up ECG in each, with a marked identity in each field for one."""

import base64
import binascii
import io
import json
import struct
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import numpy as np

LEADS = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")
NAME, GIVEN, ID, BIRTH_YEAR, NOTE = "Zzyzxname", "Qqgiven", "Id77318842", 1951, "Kxnote"
MARKS = (NAME, GIVEN, ID, NOTE, "19510203", "1951-02-03", "03-FEB-1951", "1951")
START = datetime(2021, 3, 4, 10, 20, 30)


@dataclass
class Truth:
    """What is written: steps of 5 µV, shape (n, leads)."""

    rate: int = 500
    seconds: int = 10
    leads: tuple = LEADS
    steps: np.ndarray = field(default=None)

    def __post_init__(self):
        if self.steps is None:
            self.steps = beats(self.rate, self.seconds, len(self.leads))

    @property
    def millivolts(self):
        return self.steps * 0.005


def beats(rate, seconds, n_leads):
    """Sums of Gaussians at 72 a minute, another height in each lead, in whole steps of 5 µV."""
    t = np.arange(rate * seconds) / rate
    phase = (t * 1.2) % 1.0
    one = 1.1 * np.exp(-(((phase - 0.4) / 0.012) ** 2)) + 0.25 * np.exp(-(((phase - 0.7) / 0.05) ** 2))
    one += 0.12 * np.exp(-(((phase - 0.25) / 0.03) ** 2)) - 0.2 * np.exp(-(((phase - 0.43) / 0.01) ** 2))
    one += 0.01 * np.sin(t * 7)
    heights = np.linspace(0.6, 1.4, n_leads) * np.where(np.arange(n_leads) == 2, -1, 1)
    return np.round(one[:, None] * heights / 0.005).astype(np.int64)


def limbs(steps):
    """Twelve leads of I, II and V1 to V6, the limb leads by Einthoven's and Goldberger's equations, in whole steps."""
    one, two = steps[:, 0] // 2 * 2, steps[:, 1] // 2 * 2
    first = np.stack([one, two, two - one, -(one + two) // 2, one - two // 2, two - one // 2], axis=1)
    return np.concatenate([first, steps[:, 2:]], axis=1)


# --- EDF and BDF


def edf(path, truth, kind="EDF+C", record_s=1, onsets=None, bdf=False, unit="uV", annotations=True, prefilter=""):
    n_records = len(truth.steps) // (truth.rate * record_s)
    per = truth.rate * record_s
    plus = bool(kind) and annotations
    labels = [f"ECG {name}" for name in truth.leads] + ([("BDF" if bdf else "EDF") + " Annotations"] if plus else [])
    n_annotation = 60
    digital = (2**23 if bdf else 2**15) - 1
    scale = {"uV": 5.0, "mV": 0.005}[unit]
    limit = f"{digital * scale:.8g}"[:8]
    gain = float(limit) / digital
    numbers = np.round(truth.steps * scale / gain).astype(np.int64)
    ns = len(labels)
    patient = f"{ID} F 03-FEB-{BIRTH_YEAR} {NAME}_{GIVEN}" if kind else f"{ID} {NAME}"
    recording = f"Startdate {START:%d-%b-%Y} {NOTE} {NAME} {NOTE}".replace("Mar", "MAR") if kind else NOTE
    main = (b"\xffBIOSEMI" if bdf else b"0".ljust(8)) + patient.ljust(80).encode() + recording.ljust(80)[:80].encode()
    main += f"{START:%d.%m.%y}".encode() + f"{START:%H.%M.%S}".encode() + str(256 * (ns + 1)).ljust(8).encode()
    main += (kind or "").ljust(44).encode() + str(n_records).ljust(8).encode() + str(record_s).ljust(8).encode()
    main += str(ns).ljust(4).encode()
    per_signal = [per] * len(truth.leads) + ([n_annotation] if plus else [])
    columns = [
        ([*labels], 16),
        ([NOTE] * ns, 80),
        ([unit] * len(truth.leads) + [""] * plus, 8),
        ([f"-{limit}"[:8]] * len(truth.leads) + ["-1"] * plus, 8),
        ([limit] * len(truth.leads) + ["1"] * plus, 8),
        ([-digital] * len(truth.leads) + [-32768] * plus, 8),
        ([digital] * len(truth.leads) + [32767] * plus, 8),
        ([prefilter] * ns, 80),
        (per_signal, 8),
        ([""] * ns, 32),
    ]
    # The minus sign takes one of eight characters: state a symmetric range that both fields can hold.
    if len(f"-{limit}") > 8:
        limit = limit[:7]
        gain = float(limit) / digital
        numbers = np.round(truth.steps * scale / gain).astype(np.int64)
        columns[3] = ([f"-{limit}"] * len(truth.leads) + ["-1"] * plus, 8)
        columns[4] = ([limit] * len(truth.leads) + ["1"] * plus, 8)
    head = main + b"".join(str(value).ljust(width).encode()[:width] for values, width in columns for value in values)
    body = bytearray()
    for record in range(n_records):
        for lead in range(len(truth.leads)):
            part = numbers[record * per : (record + 1) * per, lead]
            body += (
                part.astype("<i4").view(np.uint8).reshape(-1, 4)[:, :3].tobytes()
                if bdf
                else part.astype("<i2").tobytes()
            )
        if plus:
            onset = record * record_s if onsets is None else onsets[record]
            text = f"+{onset:.10g}\x14\x14\0".encode()
            if record == 1:
                text += f"+{onset:.10g}\x14{NAME}\x14\0+{onset + 0.5:.10g}\x14Palpitations\x14\0".encode()
            body += text.ljust(n_annotation * (3 if bdf else 2), b"\0")
    path.write_bytes(head + bytes(body))


# --- DICOM


def dicom(
    path, truth, bits=16, preamble=True, median=True, baseline=0.0, zone=None, groups=1, padding=False, extra=None
):
    import pydicom
    from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
    from pydicom.sequence import Sequence
    from pydicom.uid import ExplicitVRLittleEndian, TwelveLeadECGWaveformStorage

    def coded(scheme, value, meaning):
        item = Dataset()
        item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
        return item

    def given(*drug):
        item = Dataset()
        item.ConceptNameCodeSequence = Sequence([coded("DCM", "122083", "Drug administered")])
        item.ConceptCodeSequence = Sequence([coded(*drug)])
        return item

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = TwelveLeadECGWaveformStorage
    meta.MediaStorageSOPInstanceUID = "1.2.3"
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    data.SOPClassUID, data.SOPInstanceUID = TwelveLeadECGWaveformStorage, "1.2.3"
    data.PatientID, data.PatientName = ID, f"{NAME}^{GIVEN}"
    data.PatientBirthDate, data.PatientSex = f"{BIRTH_YEAR}0203", "F"
    data.ReferringPhysicianName, data.InstitutionName, data.PatientComments = f"{NAME}^Dr", NOTE, NOTE
    data.OperatorsName, data.AccessionNumber, data.DeviceSerialNumber = NAME, ID[:16], ID
    data.Manufacturer, data.ManufacturerModelName = "Example", "Model 1"
    data.AcquisitionContextSequence = Sequence([given("SCT", "387461009", "Digoxin"), given("SCT", ID[2:], NAME)])
    data.ReasonForPerformedProcedureCodeSequence = Sequence([coded("SCT", "29857009", "Chest pain")])
    data.ReasonForRequestedProcedureCodeSequence = Sequence([coded("99LOCAL", ID, f"Sent by {NAME}")])
    data.AcquisitionDateTime = f"{START:%Y%m%d%H%M%S}{zone or ''}"

    def group(steps, label, originality, offset=0.0):
        part = Dataset()
        part.WaveformOriginality, part.MultiplexGroupLabel = originality, label
        part.NumberOfWaveformChannels, part.NumberOfWaveformSamples = steps.shape[1], steps.shape[0]
        part.SamplingFrequency, part.WaveformBitsAllocated = truth.rate, 16
        part.MultiplexGroupTimeOffset = offset
        part.WaveformSampleInterpretation = "SS"
        numbers = steps - round(baseline / 5.0)
        if bits < 16:
            numbers = numbers & ((1 << bits) - 1)  # the bits above are not defined: zeros here
        part.WaveformData = numbers.astype("<u2" if bits < 16 else "<i2").tobytes()
        if padding:
            part.add_new(0x5400100A, "SS" if False else "OW", struct.pack("<h", -30000))
        part.ChannelDefinitionSequence = Sequence([channel(name) for name in truth.leads])
        return part

    def channel(name):
        definition, source, unit = Dataset(), Dataset(), Dataset()
        source.CodeValue, source.CodingSchemeDesignator, source.CodeMeaning = "x", "99X", f"Lead {name}"
        unit.CodeValue, unit.CodingSchemeDesignator, unit.CodeMeaning = "uV", "UCUM", "microvolt"
        definition.ChannelSourceSequence, definition.ChannelSensitivityUnitsSequence = (
            Sequence([source]),
            Sequence([unit]),
        )
        definition.ChannelSensitivity, definition.ChannelSensitivityCorrectionFactor = 2.5, 2
        definition.ChannelBaseline, definition.ChannelSampleSkew = baseline, 0
        definition.WaveformBitsStored = bits
        definition.FilterLowFrequency, definition.FilterHighFrequency, definition.NotchFilterFrequency = 0.05, 150, 50
        return definition

    parts = np.array_split(truth.steps, groups)
    at, sequence = 0, []
    for part in parts:
        sequence.append(group(part, "RHYTHM", "ORIGINAL", 1000.0 * at / truth.rate))
        at += len(part)
    if median:
        sequence.insert(0, group(truth.steps[:600], "MEDIAN BEAT", "DERIVED"))
    data.WaveformSequence = Sequence(sequence)
    note, concept = Dataset(), Dataset()
    concept.CodeValue, concept.CodingSchemeDesignator, concept.CodeMeaning = "1", "99X", "QRS Duration"
    note.ConceptNameCodeSequence, note.NumericValue, note.AnnotationGroupNumber = Sequence([concept]), 98, 1
    said, free = Dataset(), Dataset()
    said.UnformattedTextValue, said.AnnotationGroupNumber = "Sinus rhythm", 1
    free.UnformattedTextValue, free.AnnotationGroupNumber = f"Seen by {NAME}", 1
    data.WaveformAnnotationSequence = Sequence([note, said, free])
    if extra:
        extra(data)
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, data, enforce_file_format=True)
    raw = buffer.getvalue()
    if not preamble:
        # Old devices wrote the data set alone, implicit little endian.
        bare = io.BytesIO()
        data.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2"
        pydicom.dcmwrite(bare, data, implicit_vr=True, little_endian=True, enforce_file_format=False)
        raw = bare.getvalue()
        place = raw.index(b"\x08\x00\x16\x00")
        raw = raw[place:]
    path.write_bytes(raw)


def deflated_dicom(path, truth):
    import pydicom

    dicom(path, truth)
    data = pydicom.dcmread(path)
    data.file_meta.TransferSyntaxUID = pydicom.uid.DeflatedExplicitVRLittleEndian
    data.save_as(path)


# --- XML


def aecg(path, truth, increment=None, unit="uV", scale=5, zone=""):
    head = f"{START:%Y%m%d%H%M%S}{zone}"
    step = increment or 1 / truth.rate
    sequences = "".join(
        f'<component><sequence><code code="MDC_ECG_LEAD_{name.upper()}"/><value xsi:type="SLIST_PQ">'
        f'<origin value="0" unit="{unit}"/><scale value="{scale}" unit="{unit}"/>'
        f"<digits>{' '.join(map(str, truth.steps[:, i]))}</digits></value></sequence></component>"
        for i, name in enumerate(truth.leads)
    )
    derived = (
        '<derivation><derivedSeries><code code="REPRESENTATIVE_BEAT"/><component><sequenceSet><component><sequence>'
        f'<code code="TIME_RELATIVE"/><value><head value="0" unit="s"/><increment value="{step}" unit="s"/></value>'
        '</sequence></component><component><sequence><code code="MDC_ECG_LEAD_I"/><value><origin value="0" unit="uV"/>'
        '<scale value="5" unit="uV"/><digits>1 2 3</digits></value></sequence></component></sequenceSet></component>'
        "</derivedSeries></derivation>"
    )
    path.write_text(
        '<?xml version="1.0" encoding="UTF-8"?><AnnotatedECG xmlns="urn:hl7-org:v3" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        f'<id root="1.2" extension="{ID}"/><reasonCode code="X" displayName="Chest pain"/>'
        f'<effectiveTime><low value="{head}"/></effectiveTime>'
        "<componentOf><timepointEvent><componentOf><subjectAssignment><subject><trialSubject>"
        f'<id root="1.2" extension="{ID}"/><subjectDemographicPerson><name>{NAME}</name>'
        f'<administrativeGenderCode code="F"/><birthTime value="{BIRTH_YEAR}0203"/></subjectDemographicPerson>'
        "</trialSubject></subject></subjectAssignment></componentOf></timepointEvent></componentOf>"
        f'<component><series><code code="RHYTHM"/><effectiveTime><low value="{head}"/></effectiveTime>'
        f"<author><seriesAuthor><manufacturedSeriesDevice><id extension='{ID}'/><manufacturerModelName>M1"
        "</manufacturerModelName></manufacturedSeriesDevice><manufacturerOrganization><name>Example</name>"
        "</manufacturerOrganization></seriesAuthor></author>"
        '<component><sequenceSet><component><sequence><code code="TIME_ABSOLUTE"/><value xsi:type="GLIST_TS">'
        f'<head value="{head}"/><increment value="{step:.10g}" unit="s"/></value></sequence></component>'
        f"{sequences}</sequenceSet></component>{derived}</series></component></AnnotatedECG>"
    )


def muse(path, truth, encoding="ISO-8859-1", unit="MICROVOLTS", per_bit="5"):
    def waveform(kind, steps):
        leads = "".join(
            "<LeadData>"
            f"<LeadByteCountTotal>{2 * len(steps)}</LeadByteCountTotal><LeadSampleCountTotal>{len(steps)}"
            f"</LeadSampleCountTotal><LeadAmplitudeUnitsPerBit>{per_bit}</LeadAmplitudeUnitsPerBit><LeadAmplitudeUnits>{unit}"
            f"</LeadAmplitudeUnits><LeadID>{name}</LeadID><LeadSampleSize>2</LeadSampleSize><LeadDataCRC32>"
            f"{binascii.crc32(steps[:, i].astype('<i2').tobytes())}</LeadDataCRC32><WaveFormData>"
            f"{base64.b64encode(steps[:, i].astype('<i2').tobytes()).decode()}</WaveFormData></LeadData>"
            for i, name in enumerate(truth.leads)
        )
        return (
            f"<Waveform><WaveformType>{kind}</WaveformType><SampleBase>{truth.rate}</SampleBase><SampleExponent>0"
            "</SampleExponent><HighPassFilter>5</HighPassFilter><LowPassFilter>150</LowPassFilter><ACFilter>50</ACFilter>"
            f"{leads}</Waveform>"
        )

    text = (
        f'<?xml version="1.0" encoding="{encoding}"?><!DOCTYPE RestingECG SYSTEM "restecg.dtd"><RestingECG><MuseInfo>'
        "<MuseVersion>7</MuseVersion></MuseInfo><PatientDemographics>"
        f"<PatientID>{ID}</PatientID><PatientLastName>{NAME}é</PatientLastName><PatientFirstName>{GIVEN}"
        f"</PatientFirstName><DateofBirth>02-03-{BIRTH_YEAR}</DateofBirth><Gender>FEMALE</Gender></PatientDemographics>"
        f"<TestDemographics><AcquisitionDate>{START:%m-%d-%Y}</AcquisitionDate><AcquisitionTime>{START:%H:%M:%S}"
        f"</AcquisitionTime><AcquisitionDevice>MAC55</AcquisitionDevice><LocationName>{NOTE}</LocationName>"
        "<TestReason>Chest pain</TestReason>"
        f"<AcquisitionTechLastName>{NAME}</AcquisitionTechLastName><ReferringMDLastName>{NAME}</ReferringMDLastName>"
        f"<OverreaderLastName>{NAME}</OverreaderLastName></TestDemographics>"
        "<RestingECGMeasurements><VentricularRate>72</VentricularRate><QRSDuration>98</QRSDuration>"
        "</RestingECGMeasurements><Diagnosis><DiagnosisStatement><StmtFlag>ENDSLINE</StmtFlag><StmtText>Sinus rhythm"
        "</StmtText></DiagnosisStatement><DiagnosisStatement><StmtFlag>ENDSLINE</StmtFlag>"
        f"<StmtText>Confirmed by {NAME}</StmtText></DiagnosisStatement></Diagnosis>"
        f"{waveform('Median', truth.steps[:600])}{waveform('Rhythm', truth.steps)}</RestingECG>"
    )
    path.write_bytes(text.encode(encoding))


def sierra(path, truth, version="1.04", encoding="utf-8", xli=False):
    planar = truth.steps.T.astype("<i2").tobytes()
    if xli:
        planar = b"".join(_xli(lead) for lead in truth.steps.T * (~np.isin(truth.leads, LIMBS))[:, None]
                          + np.where(np.isin(truth.leads, ("I", "II")), 1, 0)[:, None] * truth.steps.T)  # fmt: skip
    packed = "compression='XLI'" if version == "1.04" else "compressflag='True' compressmethod='XLI'"
    packed = packed if xli else "compression='Uncompressed'"
    labels = " ".join(truth.leads)
    text = (
        f'<?xml version="1.0" encoding="{encoding}"?><restingecgdata xmlns="http://www3.medical.philips.com"><documentinfo>'
        f"<documentname>{ID}.xml</documentname><documenttype>PhilipsECG</documenttype><documentversion>{version}"
        f"</documentversion></documentinfo><dataacquisition date='{START:%Y-%m-%d}' time='{START:%H:%M:%S}'>"
        f"<machine machineid='{ID}' detaildescription='Example:1:2'>PageWriter</machine><acquirer><operatorid>{NAME}"
        f"</operatorid><institutionname>{NOTE}</institutionname></acquirer><signalcharacteristics><samplingrate>"
        f"{truth.rate}</samplingrate><resolution>5</resolution><bitspersample>16</bitspersample><signaloffset>0"
        f"</signaloffset><signalsigned>True</signalsigned><numberchannelsallocated>{len(truth.leads)}"
        f"</numberchannelsallocated><numberchannelsvalid>{len(truth.leads)}</numberchannelsvalid></signalcharacteristics>"
        f"</dataacquisition><patient><generalpatientdata><patientid>{ID}</patientid><name><lastname>{NAME}</lastname>"
        f"<firstname>{GIVEN}</firstname></name><age><dateofbirth>{BIRTH_YEAR}-02-03</dateofbirth></age><sex>Female</sex>"
        "<pacestatus>Paced</pacestatus></generalpatientdata></patient>"
        f"<orderinfo><ordernumber>{ID}</ordernumber><reasonfororder>Chest pain</reasonfororder></orderinfo>"
        f"<interpretations><interpretation><mdsignatureline>{NAME}</mdsignatureline><statement><leftstatement>"
        f"Sinus rhythm</leftstatement><rightstatement>{NAME}</rightstatement></statement></interpretation>"
        "</interpretations>"
        f"<waveforms><parsedwaveforms dataencoding='Base64' {packed} samplespersecond='{truth.rate}' "
        f"resolution='5' leadlabels='{labels}' numberofleads='{len(truth.leads)}' hipass='0.05' lowpass='150' "
        f"durationperchannel='{1000 * len(truth.steps) // truth.rate}'>{base64.b64encode(planar).decode()}"
        "</parsedwaveforms></waveforms></restingecgdata>"
    )
    path.write_bytes(text.encode(encoding))


LIMBS = ("I", "II", "III", "aVR", "aVL", "aVF")


def _xli(lead):
    """A lead in Philips' compression: second differences, their high bytes before the low ones, LZW of ten bits."""
    values = lead.astype(np.int64)
    stored = values.copy()
    # The differences stand two samples late and 64 too high.
    last, first = 0, 0
    for i in range(2, len(values)):
        last = 2 * values[i - 1] - values[i - 2] - values[i]
        if i == 2:
            first = last
        else:
            stored[i - 1] = last + 64
    stored[-1] = 64
    words = stored.astype("<i2")
    raw = (words.view("<u2") >> 8).astype(np.uint8).tobytes() + (words.view("<u2") & 0xFF).astype(np.uint8).tobytes()
    table, codes, held = {bytes([i]): i for i in range(256)}, [], b""
    for byte in raw:
        longer = held + bytes([byte])
        if longer in table:
            held = longer
            continue
        codes.append(table[held])
        if len(table) < 1023:
            table[longer] = len(table)
        held = bytes([byte])
    codes.append(table[held])
    bits = "".join(format(code, "010b") for code in codes)
    bits += "0" * (-len(bits) % 8)
    packed = int(bits, 2).to_bytes(len(bits) // 8, "big")
    return struct.pack("<iHh", len(packed), 0, first) + packed


def mortara(path, truth):
    channels = "".join(
        f'<CHANNEL NAME="{name}" BITS="16" FORMAT="SIGNED" UNITS_PER_MV="200" DURATION="{len(truth.steps)}" '
        f'SAMPLE_FREQ="{truth.rate}" ENCODING="BASE64" OFFSET="0" '
        f'DATA="{base64.b64encode(truth.steps[:, i].astype("<i2").tobytes()).decode()}"/>'
        for i, name in enumerate(truth.leads)
    )
    path.write_text(
        f'<?xml version="1.0"?><ECG ACQUISITION_TIME="{START:%Y%m%d%H%M%S}" VENT_RATE="72" COMMENT="{NOTE}" '
        f'TECHNICIAN="{NAME}"><SUBJECT LAST_NAME="{NAME}" FIRST_NAME="{GIVEN}" ID="{ID}" GENDER="Female" '
        f'DOB="{BIRTH_YEAR}0203"></SUBJECT>'
        '<SOURCE TYPE="RESTING" MANUFACTURER="Mortara" MODEL="ELI250" LOW_PASS_FILTER="150" '
        f'ACQUIRING_DEVICE_SERIAL_NUMBER="{ID}"/><AUTOMATIC_INTERPRETATION><STATEMENT TEXT="Sinus rhythm" REASON=""/>'
        f'<STATEMENT TEXT="{NAME}" REASON=""/></AUTOMATIC_INTERPRETATION>'
        f'<MEDICATION NAME="Digoxin 0.25 mg"/><MEDICATION NAME="As {NAME} says"/>{channels}</ECG>'
    )


def schiller(path, truth, unit="UV"):
    def wave(kind, steps):
        leads = "".join(
            f"<channel><name>{name.upper()}</name><data>{','.join(map(str, steps[:, i]))},</data>"
            f"<datastype>COMMASEPARATE</datastype><samplecount>{len(steps)}</samplecount></channel>"
            for i, name in enumerate(truth.leads)
        )
        return (
            f"<wavedata><type>{kind}</type><resolution><samplerate><exponent>1</exponent><value>{truth.rate}</value>"
            f"</samplerate><yres><unitperbit>5.0</unitperbit><units>{unit}</units></yres></resolution>{leads}</wavedata>"
        )

    path.write_text(
        '<?xml version="1.0"?><com.xiriuz.sema.xml.schillerEDI.SchillerEDI><patdata>'
        f"<id>{ID}</id><lastname>{NAME}</lastname><firstname>{GIVEN}</firstname><birthdate>{BIRTH_YEAR}0203</birthdate>"
        "<gender>FEMALE</gender><pacemaker><value>ON</value></pacemaker></patdata><examdescript><startdatetime>"
        f"<date>{START:%Y%m%d}</date><time>{START:%H%M%S}000</time></startdatetime><user_id>{NAME}</user_id>"
        f"<order_id>{ID}</order_id><aquiringdevice><hardware><vendor>Schiller</vendor><model>AT-10P</model><serialnum>{ID}"
        "</serialnum></hardware></aquiringdevice></examdescript><eventdata><event>"
        f"{wave('ECG_AVERAGES', truth.steps[:500])}{wave('ECG_RHYTHMS', truth.steps)}"
        "<annotation_global><name>QRS</name><value>94</value></annotation_global><filters_data><filter><name>MAINS</name>"
        f"<value>50</value></filter></filters_data><textdata><textdata>Sinus rhythm\n{NAME}</textdata></textdata>"
        "</event></eventdata></com.xiriuz.sema.xml.schillerEDI.SchillerEDI>"
    )


def cardiosoft(path, truth):
    def strip(tag, steps):
        waves = "".join(
            f'<WaveformData lead="{name}">{",".join(map(str, steps[:, i]))}</WaveformData>'
            for i, name in enumerate(truth.leads)
        )
        return (
            f'<{tag}><NumberOfLeads>8</NumberOfLeads><SampleRate units="Hz">{truth.rate}</SampleRate>'
            f"<ChannelSampleCountTotal>{len(steps)}</ChannelSampleCountTotal>"
            f'<Resolution units="uVperLsb">5</Resolution>{waves}</{tag}>'
        )

    def moment(tag, when):
        parts = (("Hour", when.hour), ("Minute", when.minute), ("Second", when.second))
        parts += (("Day", when.day), ("Month", when.month), ("Year", when.year))
        return f"<{tag}>" + "".join(f"<{name}>{value}</{name}>" for name, value in parts) + f"</{tag}>"

    path.write_text(
        '<?xml version="1.0" encoding="ISO-8859-1"?><CardiologyXML><ObservationType>RestECG</ObservationType>'
        f"{moment('ObservationDateTime', START)}<UID>{ID}</UID><ClinicalInfo><DeviceInfo><Desc>CardioSoft</Desc>"
        f"</DeviceInfo></ClinicalInfo><PatientInfo><PID>{ID}</PID><Name><FamilyName>{NAME}</FamilyName><GivenName>{GIVEN}"
        f"</GivenName></Name>{moment('BirthDateTime', datetime(BIRTH_YEAR, 2, 3))}<Gender>FEMALE</Gender>"
        f"<PaceMaker>no</PaceMaker></PatientInfo><PatientVisit><Technician>{NAME}</Technician></PatientVisit>"
        '<FilterSetting><Filter50Hz>yes</Filter50Hz><LowPass units="Hz">150</LowPass></FilterSetting>'
        f"<Interpretation><Diagnosis><DiagnosisText>Sinus rhythm</DiagnosisText><DiagnosisText>{NAME}</DiagnosisText>"
        "</Diagnosis></Interpretation><RestingECGMeasurements><VentricularRate>72</VentricularRate>"
        f"{strip('MedianSamples', truth.steps[:600])}</RestingECGMeasurements>"
        f"{strip('StripData', truth.steps)}</CardiologyXML>"
    )


# --- binary


def ishne(path, truth, promised=None):
    codes = {"I": 5, "II": 6, "V1": 11, "V2": 12, "V3": 13, "V4": 14, "V5": 15, "V6": 16}
    n = len(truth.leads)
    head = bytearray(512)
    comment = f"{NOTE} {NAME}".encode()
    struct.pack_into("<iiiihh", head, 0, len(comment), promised or len(truth.steps), 522, 522 + len(comment), 1, 0)
    head[18:58], head[58:98] = GIVEN.encode().ljust(40, b"\0"), NAME.encode().ljust(40, b"\0")
    head[98:118] = ID.encode().ljust(20, b"\0")
    struct.pack_into("<hh3h3h3h3h", head, 118, 2, 0, 3, 2, BIRTH_YEAR, 4, 3, 2021, 4, 3, 2021, 10, 20, 30)
    struct.pack_into("<h12h12h12h", head, 146, n, *([codes[name] for name in truth.leads] + [-9] * (12 - n)),
                     *([0] * n + [-9] * (12 - n)), *([5000] * n + [-9] * (12 - n)))  # fmt: skip
    struct.pack_into("<h", head, 220, 0)
    struct.pack_into("<h", head, 262, truth.rate)
    checksum = binascii.crc_hqx(bytes(head) + comment, 0xFFFF)
    path.write_bytes(
        b"ISHNE1.0" + struct.pack("<H", checksum) + bytes(head) + comment + truth.steps.astype("<i2").tobytes()
    )


def _crc(body):
    return struct.pack("<H", binascii.crc_hqx(body, 0xFFFF)) + body


def scp(path, truth, huffman=False, differences=0, interval_us=None, stored=None, zones=(), beats=(), reference=None,
        fiducial=0):  # fmt: skip
    codes = {"I": 1, "II": 2, "V1": 3, "V2": 4, "V3": 5, "V4": 6, "V5": 7, "V6": 8}
    n = len(truth.leads)

    def section(number, body):
        return _crc(struct.pack("<HIBB6x", number, 16 + len(body), 13, 13) + body)

    def tag(number, value):
        return struct.pack("<BH", number, len(value)) + value

    def text(value):
        return value.encode() + b"\0"

    device = struct.pack("<HHHBB6sBBBBB16xB", 1, 1, 1, 0, 0, b"MOD1\0\0", 13, 0xA0, 0x37, 0, 1, 0)
    demographics = (
        tag(0, text(NAME)) + tag(1, text(GIVEN)) + tag(2, text(ID)) + tag(5, struct.pack("<HBB", BIRTH_YEAR, 2, 3))
    )
    demographics += (
        tag(8, b"\x02") + tag(14, device.ljust(36, b"\0") + b"\0" * 5) + tag(20, text(NAME)) + tag(30, text(NOTE))
    )
    demographics += tag(10, b"\0\1\1" + text(NAME)) + tag(10, b"\0\7\4" + text("Metoprolol 50 mg"))
    demographics += tag(10, b"\0\0\0" + text(NAME)) + tag(13, text(NOTE))
    demographics += tag(25, struct.pack("<HBB", START.year, START.month, START.day))
    demographics += tag(26, bytes([START.hour, START.minute, START.second]))
    demographics += tag(27, struct.pack("<H", 5)) + tag(28, struct.pack("<H", 150)) + struct.pack("<BH", 255, 0)

    def data(leads, interval, bimodal=0):
        blocks = []
        for lead in leads:
            values = lead.astype(np.int64)
            if differences == 1:
                values = np.diff(values, prepend=0)
            elif differences == 2:
                second = values.copy()
                second[2:] = values[2:] - 2 * values[1:-1] + values[:-2]
                values = second
            block = _huffman(values) if huffman else values.astype("<i2").tobytes()
            blocks.append(block + b"\0" * (len(block) % 2))
        sizes = b"".join(struct.pack("<H", len(block)) for block in blocks)
        return struct.pack("<HHBB", 5000, interval, differences, bimodal) + sizes + b"".join(blocks)

    interval_us = interval_us or 1_000_000 // truth.rate
    rhythm = data(truth.steps.T if stored is None else stored, interval_us, int(stored is not None))
    definition = bytes([n, 0x04 | n << 3 | bool(beats)])
    definition += b"".join(struct.pack("<IIB", 1, len(truth.steps), codes[name]) for name in truth.leads)
    said = b"\0" + struct.pack("<HBB3B", 2021, 3, 4, 10, 20, 30)
    lines = ("Sinus rhythm", f"Seen by {NAME}")
    said += bytes([len(lines)]) + b"".join(
        struct.pack("<BH", i + 1, len(text(line))) + text(line) for i, line in enumerate(lines)
    )
    parts = {1: section(1, demographics), 3: section(3, definition), 6: section(6, rhythm), 8: section(8, said)}
    if huffman:
        parts[2] = section(2, struct.pack("<H", 19999))
    if stored is not None:
        places = struct.pack("<HHH", 2 * len(reference), fiducial, len(zones))
        places += b"".join(struct.pack("<HIII", 0, *beat) for beat in beats) or bytes.fromhex("0100") * 7 * len(zones)
        places += b"".join(struct.pack("<II", *zone) for zone in zones)
        parts[4], parts[5] = section(4, places), section(5, data(reference.T, 1_000_000 // truth.rate))
    length = 16 + 10 * 12
    at, pointers, body = 6 + length + 1, [struct.pack("<HII", 0, length, 7)], b""
    for number in range(1, 12):
        part = parts.get(number, b"")
        pointers.append(struct.pack("<HII", number, len(part), at if part else 0))
        at, body = at + len(part), body + part
    zero = _crc(struct.pack("<HIBB", 0, length, 13, 13) + b"SCPECG" + b"".join(pointers))
    whole = zero + body
    path.write_bytes(_crc(struct.pack("<I", 6 + len(whole)) + whole))


def scp_bimodal(path, truth, zones, huffman=False, differences=0, beat=False, by=4):
    """Write an SCP whose rhythm is decimated outside of `zones` (first and last sample, from 1); return what it says.

    Between the zones stand the means of `by` samples, and what is left over as it is. With `beat` a reference beat is
    taken off around each zone before.
    """
    reference = np.zeros((250, len(truth.leads)), dtype=np.int64)
    reference[60:160] = truth.steps[zones[0][0] - 1 : zones[0][0] + 99]
    fiducial = 100
    residual = truth.steps.copy()
    beats = [(first - 60, first + 39, first + 129) for first, _ in zones] if beat else []
    added = np.zeros_like(residual)
    for start, at, end in beats:
        offset = fiducial - at - 1
        added[start - 1 : end] += reference[start + offset : end + offset + 1]
    residual -= added
    kept, expected = [], np.empty(residual.shape)
    for lead in range(len(truth.leads)):
        values, at, stored = residual[:, lead], 0, []
        for first, last in [*zones, (len(residual) + 1, len(residual))]:
            n = first - 1 - at
            means = values[at : at + n // by * by].reshape(-1, by).sum(axis=1) // by
            rest = values[at + n // by * by : first - 1]
            stored += [*means, *rest, *values[first - 1 : last]]
            middle = np.clip((np.arange(n // by * by) - by // 2) / by, 0, None)
            whole = np.interp(middle, np.arange(len(means)), means) if len(means) else np.empty(0)
            expected[at : first - 1, lead] = np.concatenate([np.round(whole), rest])
            expected[first - 1 : last, lead] = values[first - 1 : last]
            at = last
        kept.append(np.array(stored))
    interval_us = by * 1_000_000 // truth.rate
    scp(path, truth, huffman, differences, interval_us, kept, zones, beats, reference, fiducial)
    return (expected + added) * 0.005


def pack_wfdb(steps, fmt):
    """Samples of two leads in one of the packed formats that wfdb does not write."""
    flat = steps.ravel()
    if fmt == "61":
        return flat.astype(">i2").tobytes()
    if fmt == "160":
        return (flat + 32768).astype("<u2").tobytes()
    if fmt == "8":
        return np.diff(steps, axis=0, prepend=steps[:1]).astype("i1").tobytes()
    flat = np.concatenate([flat, np.zeros(-len(flat) % 3, dtype=flat.dtype)]).reshape(-1, 3) & 0x3FF
    if fmt == "311":
        return (flat[:, 0] | flat[:, 1] << 10 | flat[:, 2] << 20).astype("<u4").tobytes()
    low = flat[:, 0] << 1 | (flat[:, 2] & 0x1F) << 11
    high = flat[:, 1] << 1 | (flat[:, 2] >> 5) << 11
    return np.stack([low, high], axis=1).astype("<u2").tobytes()


def _huffman(values):
    """The default table of SCP-ECG: 0; ones for the magnitude, 0, sign; two escapes."""
    bits = []
    for value in values.tolist():
        if value == 0:
            bits.append("0")
        elif abs(value) <= 8:
            bits.append("1" * abs(value) + "0" + ("1" if value < 0 else "0"))
        elif -128 <= value <= 127:
            bits.append("1111111110" + format(value & 0xFF, "08b"))
        else:
            bits.append("1111111111" + format(value & 0xFFFF, "016b"))
    joined = "".join(bits)
    joined += "0" * (-len(joined) % 8)
    return int(joined, 2).to_bytes(len(joined) // 8, "big")


def mfer(path, truth, little=True):
    order = "little" if little else "big"

    def item(tag, value):
        if len(value) < 128:
            return bytes([tag, len(value)]) + value
        size = len(value).to_bytes(4, "big")
        return bytes([tag, 0x84]) + size + value

    def number(value, size):
        return value.to_bytes(size, order, signed=True)

    codes = {"I": 1, "II": 2, "V1": 3, "V2": 4, "V3": 5, "V4": 6, "V5": 7, "V6": 8}
    out = item(0x40, b"MFR Standard 12 leads ECG ") + item(0x01, b"\x01" if little else b"\x00")
    out += item(0x17, b"Example^Model^1^" + ID.encode()) + item(0x81, f"{NAME}^^{GIVEN}".encode())
    out += item(0x82, ID.encode()) + item(0x84, b"\x02") + item(0x16, NOTE.encode())
    out += item(0x83, bytes([0]) + number(0, 2) + number(BIRTH_YEAR, 2) + bytes([2, 3]))
    out += item(0x85, number(START.year, 2) + bytes([3, 4, 10, 20, 30]) + number(0, 2) + number(0, 2))
    out += item(0x08, number(1, 2)) + item(0x0B, b"\x00\x00" + number(truth.rate, 2))
    out += item(0x0C, b"\x00\xfa" + number(5, 2)) + item(0x0A, b"\x00")
    out += item(0x04, number(len(truth.steps), 4)) + item(0x05, number(len(truth.leads), 1))
    out += item(0x06, number(1, 2)) + item(0x11, b"HPF=0.05")
    for channel, name in enumerate(truth.leads):
        inner = item(0x09, number(codes[name], 2))
        out += bytes([0x3F, channel, len(inner)]) + inner
    samples = truth.steps.T.astype("<i2" if little else ">i2").tobytes()
    out += bytes([0x1E, 0x84]) + len(samples).to_bytes(4, "big") + samples + bytes([0x80, 0])
    path.write_bytes(out)


def mfer_by_hand(path, truth, kind):
    """A little-endian MFER in another of its ways: unsigned, of 32 bits, in blocks, by interval, in two frames."""

    def item(tag, value):
        return bytes([tag, len(value)]) + value

    n, steps = len(truth.leads), truth.steps
    out = item(0x40, b"MFR Standard 12 leads ECG ") + item(0x01, b"\x01")
    out += item(0x85, struct.pack("<HBBBBBHH", START.year, 3, 4, 10, 20, 30, 0, 0)) + item(0x08, b"\x01\x00")
    rate = b"\x01\xfd" + struct.pack("<H", 2) if kind == "interval" else b"\x00\x00" + struct.pack("<H", truth.rate)
    out += item(0x0B, rate) + item(0x0C, b"\x00\xfa" + struct.pack("<H", 5))
    out += item(0x0A, {"u2": b"\x01", "i4": b"\x02"}.get(kind, b"\x00"))
    frames = np.split(steps, 2) if kind == "two frames" else [steps]
    block = 500 if kind == "blocks" else len(frames[0])
    out += item(0x04, struct.pack("<I", block)) + item(0x05, bytes([n]))
    out += item(0x06, struct.pack("<H", len(frames[0]) // block))
    codes = {"I": 1, "II": 2, "V1": 3, "V2": 4, "V3": 5, "V4": 6, "V5": 7, "V6": 8}
    for channel, name in enumerate(truth.leads):
        inner = item(0x09, struct.pack("<H", codes[name]))
        out += bytes([0x3F, channel, len(inner)]) + inner
    for frame in frames:
        planar = frame.reshape(-1, block, n).transpose(0, 2, 1) + (1000 if kind == "u2" else 0)
        samples = planar.astype({"u2": "<u2", "i4": "<i4"}.get(kind, "<i2")).tobytes()
        out += bytes([0x1E, 0x84]) + len(samples).to_bytes(4, "big") + samples
    path.write_bytes(out + bytes([0x80, 0]))


# --- CSV and JSON


def kardia(path, truth):
    names = {"I": "leadI", "II": "leadII"}
    block = {
        "frequency": truth.rate,
        "mainsFrequency": 50,
        "amplitudeResolution": 5000,
        "numLeads": len(truth.leads),
        "samples": {names[name]: truth.steps[:, i].tolist() for i, name in enumerate(truth.leads)},
    }
    path.write_text(
        json.dumps(
            {"id": ID, "patientID": ID, "recordedAt": "2021-03-04T10:20:30+01:00", "duration": 10000, "note": NOTE,
             "algorithmDetermination": "normal", "heartRate": 72, "deviceInfo": {"serialNumber": ID},
             "data": {"raw": block, "enhanced": block}}
        )
    )  # fmt: skip


def fitbit(path, truth):
    reading = {"startTime": "2021-03-04T10:20:30.000", "averageHeartRate": 72, "encodedId": ID, "userName": NAME}
    reading |= {"resultClassification": "Normal Sinus Rhythm", "samplingFrequencyHz": str(truth.rate), "leadNumber": 1}
    reading |= {"scalingFactor": 200, "waveformSamples": truth.steps[:, 0].tolist(), "deviceName": "Sense"}
    path.write_text(json.dumps({"ecgReadings": [reading], "pagination": {}}))


def withings(path, truth):
    body = {
        "signal": (truth.steps[:, 0] * 5).tolist(),
        "sampling_frequency": truth.rate,
        "wearposition": 1,
        "userid": ID,
    }
    path.write_text(json.dumps({"status": 0, "body": body}))


def health_export(path, truth):
    values = [{"voltage": float(v), "units": "mcV"} for v in truth.steps[:, 0] * 5]
    reading = {"classification": "Sinus Rhythm", "samplingFrequency": truth.rate, "voltageMeasurements": values}
    reading |= {"start": "2021-03-04 10:20:30 +0100", "name": NAME}
    path.write_text(json.dumps({"data": {"ecg": [reading]}}))


APPLE = (
    "Name,{name}\nDate of Birth,{born}\nRecorded Date,2021-03-04 10:20:30 +0100\nClassification,Sinus Rhythm\n"
    'Symptoms,Dizziness\nSoftware Version,1.90\nDevice,"Watch6,1"\nSample Rate,{rate}\n\nLead,Lead I\nUnit,µV\n\n'
)


def apple(path, truth):
    values = "".join(f"{v:g}\n" for v in truth.steps[:, 0] * 5)
    head = APPLE.format(name=f"{GIVEN} {NAME}", born='"Feb 3, 1951"', rate=f"{truth.rate} hertz")
    path.write_text(head + values, "utf-8")


def table(path, truth, header=True, separator=",", decimal=".", facts="", names=None, unit_factor=5.0, times=None):
    names = names or [f"{name} [uV]" for name in truth.leads]
    rows = []
    if header:
        rows.append(separator.join(([] if times is None else [times[0]]) + list(names)))
    for i, row in enumerate(truth.steps):
        cells = [f"{value * unit_factor:g}" for value in row]
        if times is not None:
            cells.insert(0, times[1](i))
        rows.append(separator.join(cells).replace(".", decimal))
    path.write_text(facts + "\n".join(rows) + "\n", "utf-8")


def spreadsheet(path, truth):
    """UTF-16 with semicolons, decimal commas, a line of units, and moments."""
    head = "Zeit;" + ";".join(truth.leads) + "\n;" + ";".join(["mV"] * len(truth.leads)) + "\n"
    rows = (f"04.03.2021 10:20:{30 + i * 2 // 1000:02d},{i * 2 % 1000:03d};" + ";".join(f"{v:.3f}".replace(".", ",")
            for v in row) for i, row in enumerate(truth.millivolts))  # fmt: skip
    path.write_bytes((head + "\n".join(rows) + "\n").encode("utf-16"))


def self_told_csv(path, truth):
    table(path, truth, facts=f"Patient ID,{ID}\nPatient name,{NAME}\nDate of birth,1951-02-03\nNote,{NOTE}\n"
          f"Recorded at,2021-03-04T10:20:30\nSex,F\nIndication,Chest pain\n"
          f"Medication,Digoxin 0.25 mg; {NAME} 3 mg\nSampling rate,{truth.rate} Hz\n")  # fmt: skip


def polar(path, truth):
    table(path, truth, separator=";", names=["ecg [uV]"],
          times=("sensor timestamp [ns]", lambda i: str(599616000000000000 + round(i * 1e9 / truth.rate))))  # fmt: skip


def wfdb_record(path, truth):
    header = [f"{ID} {len(truth.leads)} {truth.rate} {len(truth.steps)} {START:%H:%M:%S %d/%m/%Y}"]
    for i, name in enumerate(truth.leads):
        lead = truth.steps[:, i]
        header.append(f"{path.stem}.dat 16 200(0)/mV 16 0 {lead[0]} {int(lead.sum()) % 65536} 0 {name}")
    header += [f"# Patient ID: {ID}", f"# {NAME}, {GIVEN}, born 1951-02-03", "# Age: 70", "# Sex: F"]
    header += ["# Digoxin, Inderal", f"# Medication: Quinidine 200 mg tid, {NAME}"]
    header += ["# Reason for admission: Chest pain"]
    path.write_text("\n".join(header) + "\n")
    path.with_suffix(".dat").write_bytes(truth.steps.astype("<i2").tobytes())


TWELVE = {
    "wfdb": ("r.hea", wfdb_record),
    "edf": ("r.edf", lambda path, truth: edf(path, truth, kind="")),
    "edf+": ("r.edf", edf),
    "bdf": ("r.bdf", lambda path, truth: edf(path, truth, kind="BDF+C", bdf=True)),
    "dicom": ("r.dcm", dicom),
    "aecg": ("r.xml", aecg),
    "muse": ("r.xml", muse),
    "sierra": ("r.xml", sierra),
    "mortara": ("r.xml", mortara),
    "schiller": ("r.xml", schiller),
    "cardiosoft": ("r.xml", cardiosoft),
    "ishne": ("r.ecg", ishne),
    "scp": ("r.scp", scp),
    "mfer": ("r.mwf", mfer),
    "csv": ("r.csv", self_told_csv),
}
ONE_LEAD = {
    "apple": ("r.csv", apple),
    "fitbit": ("r.json", fitbit),
    "withings": ("r.json", withings),
    "health export": ("r.json", health_export),
    "kardia": ("r.json", kardia),
    "polar": ("r.csv", polar),
}


FURTHER = {
    "edf+d": ("r.edf", lambda path, truth: edf(path, truth, "EDF+D", onsets=[0, 1, 2, 5, 6, 7, 9, 10, 11, 12])),
    "scp huffman": ("r.scp", lambda path, truth: scp(path, truth, huffman=True, differences=2)),
    "scp bimodal": (
        "r.scp",
        lambda path, truth: scp_bimodal(path, truth, [(120, 209), (537, 626)], True, 2, beat=True),
    ),
    "sierra xli": ("r.xml", lambda path, truth: sierra(path, truth, xli=True)),
    "dicom deflated": ("r.dcm", lambda path, truth: deflated_dicom(path, truth)),
    "mfer in blocks": ("r.mwf", lambda path, truth: mfer_by_hand(path, truth, "blocks")),
    "csv of a spreadsheet": ("r.csv", lambda path, truth: spreadsheet(path, truth)),
}
"""Formats again, in other of their ways."""


def write(folder, name, truth=None):
    """Write the made-up ECG in a format; return (its path, the truth)."""
    file, writer = (TWELVE | ONE_LEAD | FURTHER)[name]
    truth = truth or (Truth(leads=("I",)) if name in ONE_LEAD else Truth())
    path = Path(folder) / file
    writer(path, truth)
    return path, truth
